"""The state of an account and of a key: folds of their events."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from domain.access.events import AccountOpened, KeyCreated, KeyRevoked, KeyRotated, KeyUpdated
from domain.event import Event
from domain.inference.events import DisconnectPolicy


@dataclass(frozen=True, slots=True)
class Account:
    """An account as its events tell it."""

    opened: AccountOpened


@dataclass(frozen=True, slots=True)
class Key:
    """A key as its events tell it; `expires_at` is Unix milliseconds, None for never.

    `rotations` has the overlap asked for under each idempotency key's hash.
    """

    key_id: str
    account_id: str
    name: str
    scopes: tuple[str, ...]
    expires_at: int | None
    on_disconnect: DisconnectPolicy = "cancel"
    is_revoked: bool = False
    rotations: Mapping[str, int | None] = field(default_factory=dict)


def evolve_account(account: Account | None, event: Event) -> Account:
    """The account after `event`. Raises `ValueError` on a history that cannot be."""
    if isinstance(event, AccountOpened) and account is None:
        return Account(event)
    raise ValueError(f"{event.event_name} cannot follow in an account's history")


def evolve_key(key: Key | None, event: Event) -> Key:
    """The key after `event`. Raises `ValueError` on a history that cannot be."""
    if isinstance(event, KeyCreated) and key is None:
        return Key(
            event.key_id,
            event.account_id,
            event.name,
            event.scopes,
            event.expires_at,
            event.on_disconnect,
        )
    if key is None:
        raise ValueError(f"{event.event_name} before access.key.created")
    match event:
        case KeyUpdated():
            return replace(
                key,
                name=event.name,
                scopes=event.scopes,
                expires_at=event.expires_at,
                on_disconnect=event.on_disconnect,
            )
        case KeyRotated(idempotency_key_hash=str(seen)):
            return replace(key, rotations={**key.rotations, seen: event.overlap_seconds})
        case KeyRotated():
            return key
        case KeyRevoked():
            return replace(key, is_revoked=True)
        case _:
            raise ValueError(f"{event.event_name} cannot follow in a key's history")
