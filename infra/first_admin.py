"""The first administrator: a key of the house's own account."""

from collections.abc import Callable

from domain.access.decide import decide_key, stream_of
from domain.access.directory import KeyDirectory
from domain.access.opening import NewAccount, OpeningPorts, first_key, open_account
from domain.access.scopes import ALL_SCOPES
from domain.access.state import evolve_key
from domain.errors import Unauthenticated
from domain.event import system_origin
from domain.execute import execute
from domain.ids import HOUSE_ACCOUNT
from domain.ports.secrets import ApiKey

ORIGIN = system_origin(HOUSE_ACCOUNT, "bootstrap", "bootstrap")


async def ensure_admin(
    ports: OpeningPorts,
    directory: KeyDirectory,
    chosen: str | None,
    show: Callable[[str], None],
) -> None:
    """Sees to it that there is an administrator.

    A `chosen` key is made valid unless it was before; one that was revoked stays revoked. With
    none chosen the first start makes one and gives it to `show`, as soon as it is recorded.
    """
    if directory.account(HOUSE_ACCOUNT) is None:
        key = ports.secrets.new_api_key("live") if chosen is None else _adopted(ports, chosen)
        await open_account(ports, _house(key), ORIGIN)
        if chosen is None:
            show(key.secret)
    elif chosen is not None and not _is_known(ports, directory, chosen):
        command = first_key(ports, _house(_adopted(ports, chosen)))
        await execute(
            ports.store,
            command.key_id,
            command,
            ORIGIN,
            decide=decide_key,
            evolve=evolve_key,
            stream_of=stream_of,
        )


def _adopted(ports: OpeningPorts, chosen: str) -> ApiKey:
    return ports.secrets.adopt_api_key(chosen)


def _house(key: ApiKey) -> NewAccount:
    return NewAccount(HOUSE_ACCOUNT, "house", key, "live", ALL_SCOPES)


def _is_known(ports: OpeningPorts, directory: KeyDirectory, secret: str) -> bool:
    try:
        directory.authenticate(ports.secrets.key_hash(secret), ports.clock.now())
    except Unauthenticated as error:
        return error.code != "invalid_api_key"
    return True
