"""Adding and removing provider keys: what seals a key and records it."""

import json
import re
from dataclasses import dataclass

from domain.access.provider_keys.decide import (
    AddProviderKey,
    ProviderKeyCommand,
    RemoveProviderKey,
    decide,
    evolve,
)
from domain.access.provider_keys.events import ProviderKeyAdded
from domain.errors import InvalidRequest
from domain.event import Event, Origin, Recorded
from domain.execute import execute
from domain.ids import Kind, derived_id
from domain.ports.event_store import EventStore
from domain.ports.payloads import Payloads

# It goes into a header, so that nothing may stand in it that ends one.
KEY = re.compile(r"[\x21-\x7e]{8,4096}")


@dataclass(frozen=True, slots=True)
class NewProviderKey:
    """The key to add, in clear; the provider is known to take one."""

    provider: str
    api_key: str
    fallback: bool
    idempotency_key_hash: str | None = None

    def __repr__(self) -> str:
        return f"NewProviderKey({self.provider}, …)"


def stream_of_account(account_id: str) -> str:
    """The stream of an account's provider keys."""
    return derived_id(Kind.PROVIDER_KEY, account_id)


def provider_key_id(account_id: str, provider: str) -> str:
    """The id of the one key that an account can have at a provider."""
    return derived_id(Kind.PROVIDER_KEY, account_id, provider)


async def add_provider_key(
    store: EventStore, payloads: Payloads, wanted: NewProviderKey, origin: Origin
) -> tuple[Recorded[Event], bool]:
    """Records the key; returns its event, and whether it is new rather than a repeated request's.

    Raises `InvalidRequest` for what can be no key, and `IdempotencyMismatch`.
    """
    if not KEY.fullmatch(wanted.api_key):
        raise InvalidRequest(
            "a provider's key has 8 to 4,096 printable ASCII characters and no space",
            param="api_key",
        )
    added = await _sealed(payloads, wanted, origin.account_id)
    recorded = await _execute(store, AddProviderKey(added), origin)
    if recorded:
        return recorded[0], True
    history = await store.read_stream(stream_of_account(origin.account_id))
    return next(one for one in history if _is_made_by(one.event, added)), False


async def remove_provider_key(
    store: EventStore, key_id: str, origin: Origin
) -> tuple[Recorded[Event], ...]:
    """Records that the key is used no more. Raises `NotFound`."""
    return await _execute(store, RemoveProviderKey(key_id), origin)


async def _sealed(payloads: Payloads, wanted: NewProviderKey, account_id: str) -> ProviderKeyAdded:
    key_id = provider_key_id(account_id, wanted.provider)
    asked = json.dumps([wanted.provider, wanted.api_key, wanted.fallback]).encode()
    return ProviderKeyAdded(
        provider_key_id=key_id,
        account_id=account_id,
        provider=wanted.provider,
        secret=await payloads.seal(account_id, f"provider.key:{key_id}", wanted.api_key.encode()),
        last4=wanted.api_key[-4:],
        fallback=wanted.fallback,
        input_hash=await payloads.fingerprint(account_id, asked),
        idempotency_key_hash=wanted.idempotency_key_hash,
    )


async def _execute(
    store: EventStore, command: ProviderKeyCommand, origin: Origin
) -> tuple[Recorded[Event], ...]:
    stream = stream_of_account(origin.account_id)
    return await execute(
        store,
        stream,
        command,
        origin,
        decide=decide,
        evolve=evolve,
        stream_of=lambda _: stream,
    )


def _is_made_by(event: Event, added: ProviderKeyAdded) -> bool:
    return (
        isinstance(event, ProviderKeyAdded)
        and event.idempotency_key_hash == added.idempotency_key_hash
    )
