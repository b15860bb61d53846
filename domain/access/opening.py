"""Opening an account with its owner's first key: what the admin route and the first start do."""

from dataclasses import dataclass

from domain.access.commands import CreateKey, OpenAccount
from domain.access.decide import decide_account, stream_of
from domain.access.scopes import Granter, Scope
from domain.access.state import evolve_account
from domain.event import Event, Origin, Recorded
from domain.execute import execute
from domain.ids import Kind
from domain.ports.clock import Clock, Ids
from domain.ports.event_store import EventStore
from domain.ports.payloads import Payloads
from domain.ports.secrets import ApiKey, Secrets
from domain.webhooks.secrets import secret_context


@dataclass(frozen=True, slots=True)
class OpeningPorts:
    """What opening an account needs."""

    store: EventStore
    payloads: Payloads
    secrets: Secrets
    clock: Clock
    ids: Ids


@dataclass(frozen=True, slots=True)
class NewAccount:
    """The account to open and the key that its owner gets."""

    account_id: str
    name: str
    owner_key: ApiKey
    environment: str
    scopes: tuple[Scope, ...]


async def open_account(
    ports: OpeningPorts, wanted: NewAccount, origin: Origin
) -> tuple[Recorded[Event], ...]:
    """Records the account and its first key in one append. Raises `Conflict` if it exists."""
    webhook_secret = await ports.payloads.seal(
        wanted.account_id,
        secret_context(wanted.account_id),
        ports.secrets.new_webhook_secret().encode(),
    )
    command = OpenAccount(wanted.account_id, wanted.name, webhook_secret, first_key(ports, wanted))
    return await execute(
        ports.store,
        wanted.account_id,
        command,
        origin,
        decide=decide_account,
        evolve=evolve_account,
        stream_of=stream_of,
    )


def first_key(ports: OpeningPorts, wanted: NewAccount) -> CreateKey:
    """The command that makes the key of `wanted`, with the scopes that it names."""
    key = wanted.owner_key
    return CreateKey(
        key_id=ports.ids.new(Kind.KEY),
        account_id=wanted.account_id,
        name="owner",
        environment=wanted.environment,
        prefix=key.prefix,
        last4=key.last4,
        key_hash=key.key_hash,
        scopes=wanted.scopes,
        granter=Granter(wanted.scopes, None),
        now=ports.clock.now(),
    )
