"""The key directory: who holds which key, in memory, as a fold of the access events.

Every node follows the log into its own directory, so that a revoked key stops at once instead
of when a cache runs out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from domain.access.events import (
    EVENTS,
    AccountOpened,
    KeyCreated,
    KeyRevoked,
    KeyRotated,
    KeyUpdated,
)
from domain.errors import Unauthenticated
from domain.event import Event, Recorded
from domain.inference.events import DisconnectPolicy
from domain.sealed import Sealed

DIRECTORY_EVENTS = tuple(event_type.event_name for event_type in EVENTS)
KeyChange = KeyUpdated | KeyRotated | KeyRevoked


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An account; `created_at` is Unix milliseconds."""

    account_id: str
    name: str
    default_webhook_secret: Sealed
    created_at: int


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key as requests see it; times are Unix milliseconds."""

    key_id: str
    account_id: str
    name: str
    environment: str
    prefix: str
    last4: str
    scopes: frozenset[str]
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    on_disconnect: DisconnectPolicy = "cancel"


@dataclass(slots=True)
class _Held:
    """A key with the secrets it has had and the version of its stream seen so far."""

    entry: KeyEntry
    version: int
    secrets: list["_Secret"] = field(default_factory=list)


@dataclass(slots=True)
class _Secret:
    """Which key a secret opens, and until when if it has been replaced (Unix milliseconds)."""

    held: _Held
    valid_until: int | None = None

    def end_by(self, moment: int) -> None:
        """Ends the secret at `moment` unless it ends before."""
        self.valid_until = moment if self.valid_until is None else min(self.valid_until, moment)


class KeyDirectory:
    """Finds keys by the hash of their secret. An event that was applied before changes nothing."""

    def __init__(self) -> None:
        self._secrets: dict[str, _Secret] = {}
        self._keys: dict[str, _Held] = {}
        self._keys_of: dict[str, list[str]] = {}
        self._accounts: dict[str, AccountEntry] = {}

    def knows(self, key_hash: str) -> bool:
        """Whether a key has, or had, this secret."""
        return key_hash in self._secrets

    def authenticate(self, key_hash: str, now: int) -> KeyEntry:
        """The key of this secret. Raises `Unauthenticated`, saying why in its code."""
        secret = self._secrets.get(key_hash)
        if secret is None:
            raise Unauthenticated("this API key is not known")
        entry = secret.held.entry
        if entry.revoked_at is not None:
            raise Unauthenticated("this API key was revoked", code="api_key_revoked")
        if entry.expires_at is not None and now >= entry.expires_at:
            raise Unauthenticated("this API key has expired", code="api_key_expired")
        if secret.valid_until is not None and now >= secret.valid_until:
            raise Unauthenticated("this API key was rotated out", code="api_key_expired")
        return entry

    def key(self, account_id: str, key_id: str) -> KeyEntry | None:
        """The account's key of this id; None when it has none such."""
        held = self._keys.get(key_id)
        return held.entry if held is not None and held.entry.account_id == account_id else None

    def keys_of(self, account_id: str) -> Sequence[KeyEntry]:
        """The account's keys, revoked ones too, in the order of their making."""
        return [self._keys[key_id].entry for key_id in self._keys_of.get(account_id, ())]

    def account(self, account_id: str) -> AccountEntry | None:
        return self._accounts.get(account_id)

    def accounts(self) -> Sequence[AccountEntry]:
        """Every account, in the order of their opening."""
        return list(self._accounts.values())

    def apply(self, recorded: Recorded[Event]) -> None:
        """Folds one event in; events of other subjects change nothing."""
        event = recorded.event
        match event:
            case AccountOpened():
                self._accounts[event.account_id] = AccountEntry(
                    event.account_id, event.name, event.default_webhook_secret, recorded.recorded_at
                )
            case KeyCreated():
                self._add(event, recorded)
            case KeyUpdated() | KeyRotated() | KeyRevoked():
                self._change(event, recorded)
            case _:
                return

    def _add(self, event: KeyCreated, recorded: Recorded[Event]) -> None:
        if event.key_id in self._keys:
            return
        entry = KeyEntry(
            event.key_id,
            event.account_id,
            event.name,
            event.environment,
            event.prefix,
            event.last4,
            frozenset(event.scopes),
            recorded.recorded_at,
            event.expires_at,
            on_disconnect=event.on_disconnect,
        )
        held = _Held(entry, recorded.version)
        self._keys[event.key_id] = held
        self._keys_of.setdefault(event.account_id, []).append(event.key_id)
        self._open(held, event.key_hash)

    def _open(self, held: _Held, key_hash: str) -> None:
        """Lets a new secret open the key."""
        secret = _Secret(held)
        held.secrets.append(secret)
        self._secrets[key_hash] = secret

    def _change(self, event: KeyChange, recorded: Recorded[Event]) -> None:
        held = self._keys[event.key_id]
        if recorded.version <= held.version:
            return
        held.version = recorded.version
        match event:
            case KeyUpdated():
                held.entry = replace(
                    held.entry,
                    name=event.name,
                    scopes=frozenset(event.scopes),
                    expires_at=event.expires_at,
                    on_disconnect=event.on_disconnect,
                )
            case KeyRotated():
                # An overlap given before must not outlive this one: the last rotation decides.
                for earlier in held.secrets:
                    earlier.end_by(event.old_valid_until)
                held.entry = replace(held.entry, last4=event.last4)
                self._open(held, event.key_hash)
            case KeyRevoked():
                held.entry = replace(held.entry, revoked_at=recorded.recorded_at)
            case _:
                assert_never(event)
