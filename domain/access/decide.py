"""What a command does to an account or a key: pure functions of state and command."""

from typing import assert_never

from domain.access.commands import (
    KEEP,
    CreateKey,
    KeyCommand,
    OpenAccount,
    RevokeKey,
    RotateKey,
    UpdateKey,
)
from domain.access.events import AccountOpened, KeyCreated, KeyRevoked, KeyRotated, KeyUpdated
from domain.access.scopes import Granter, Scope, ends_later, parse_scopes
from domain.access.state import Account, Key
from domain.errors import Conflict, IdempotencyMismatch, InvalidRequest, NotFound
from domain.event import Event
from domain.ports.secrets import ENVIRONMENTS

MAX_NAME_LENGTH = 100
# An old secret that still works after a month was not rotated.
MAX_OVERLAP_SECONDS = 30 * 24 * 3600


def stream_of(event: Event) -> str:
    """An account's stream is named by its id, a key's by the key's id."""
    match event:
        case AccountOpened():
            return event.account_id
        case KeyCreated() | KeyUpdated() | KeyRotated() | KeyRevoked():
            return event.key_id
        case _:
            raise ValueError(f"{event.event_name} is no event of accounts and keys")


def decide_account(account: Account | None, command: OpenAccount) -> tuple[Event, ...]:
    """The events that open an account and make its first key."""
    if account is not None:
        raise Conflict("the account exists already", code="account_exists")
    opened = AccountOpened(
        account_id=command.account_id,
        name=_name(command.name),
        default_webhook_secret=command.default_webhook_secret,
    )
    return (opened,) if command.owner_key is None else (opened, _created(command.owner_key))


def decide_key(key: Key | None, command: KeyCommand) -> tuple[Event, ...]:
    """The events that `command` brings about; revoking twice changes nothing."""
    if isinstance(command, CreateKey):
        if key is not None:
            raise Conflict("the key exists already", code="key_exists")
        return (_created(command),)
    if key is None:
        raise NotFound("no such key")
    # Whoever may not hand out what the key can do may not touch it: neither widen nor end it.
    command.granter.require_scopes(key.scopes)
    if isinstance(command, RevokeKey):
        return () if key.is_revoked else (KeyRevoked(key_id=key.key_id),)
    if key.is_revoked:
        raise Conflict("the key is revoked", code="key_revoked")
    match command:
        case UpdateKey():
            return _update(key, command)
        case RotateKey():
            return _rotate(key, command)
        case _:
            assert_never(command)


def _created(command: CreateKey) -> KeyCreated:
    command.granter.require_life(command.expires_at)
    if command.environment not in ENVIRONMENTS:
        known = ", ".join(ENVIRONMENTS)
        raise InvalidRequest(f"the environment is one of {known}", param="environment")
    return KeyCreated(
        key_id=command.key_id,
        account_id=command.account_id,
        name=_name(command.name),
        environment=command.environment,
        prefix=command.prefix,
        last4=command.last4,
        key_hash=command.key_hash,
        scopes=_granted(command.granter, command.scopes),
        expires_at=_expiry(command.expires_at, command.now),
        on_disconnect=command.on_disconnect,
    )


def _update(key: Key, command: UpdateKey) -> tuple[Event, ...]:
    updated = KeyUpdated(
        key_id=key.key_id,
        name=key.name if command.name is KEEP else _name(command.name),
        scopes=key.scopes if command.scopes is KEEP else _granted(command.granter, command.scopes),
        expires_at=key.expires_at
        if command.expires_at is KEEP
        else _expiry(command.expires_at, command.now),
        on_disconnect=key.on_disconnect if command.on_disconnect is KEEP else command.on_disconnect,
    )
    is_extended = ends_later(updated.expires_at, key.expires_at)
    if is_extended or not set(updated.scopes) <= set(key.scopes):
        command.granter.require_life(updated.expires_at)
    before = KeyUpdated(
        key_id=key.key_id,
        name=key.name,
        scopes=key.scopes,
        expires_at=key.expires_at,
        on_disconnect=key.on_disconnect,
    )
    return () if updated == before else (updated,)


def _rotate(key: Key, command: RotateKey) -> tuple[Event, ...]:
    command.granter.require_life(key.expires_at)
    if _is_repeated(key, command):
        return ()
    if not 0 <= command.overlap_seconds <= MAX_OVERLAP_SECONDS:
        raise InvalidRequest(
            f"the overlap is 0 to {MAX_OVERLAP_SECONDS} seconds", param="overlap_seconds"
        )
    return (
        KeyRotated(
            key_id=key.key_id,
            last4=command.last4,
            key_hash=command.key_hash,
            old_valid_until=command.now + command.overlap_seconds * 1000,
            idempotency_key_hash=command.idempotency_key_hash,
            overlap_seconds=command.overlap_seconds,
        ),
    )


def _is_repeated(key: Key, command: RotateKey) -> bool:
    seen = command.idempotency_key_hash
    if seen is None or seen not in key.rotations:
        return False
    if key.rotations[seen] != command.overlap_seconds:
        raise IdempotencyMismatch(
            "this Idempotency-Key was used with another overlap", param="Idempotency-Key"
        )
    return True


def _granted(granter: Granter, wanted: tuple[str, ...]) -> tuple[Scope, ...]:
    scopes = parse_scopes(wanted)
    granter.require_scopes(scopes)
    return scopes


def _name(text: str) -> str:
    name = text.strip()
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise InvalidRequest(f"a name has 1 to {MAX_NAME_LENGTH} characters", param="name")
    return name


def _expiry(expires_at: int | None, now: int) -> int | None:
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("the expiry is in the past", param="expires_at")
    return expires_at
