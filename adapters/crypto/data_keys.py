"""The data keys of the accounts: made on first use, stored wrapped by the master key.

They stand apart from the log, so that destroying one (erasure) touches no log, and a copy of the
log alone stays unreadable. What is the same wherever they stand is here.
"""

import hmac
import secrets
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from adapters.crypto.master_key import KEY_BYTES, MasterKey, MasterKeyProblem
from domain.ports.clock import Clock
from domain.ports.payloads import PayloadErased


@dataclass(frozen=True, slots=True, eq=False)
class DataKey:
    """One account's key, ready for use: `cipher` seals, a copy of `mac` fingerprints."""

    key_id: str
    account_id: str
    cipher: AESGCM
    mac: hmac.HMAC

    def __repr__(self) -> str:
        return f"DataKey({self.key_id})"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is stored; without `wrapped` it was destroyed."""

    key_id: str
    wrapped: bytes | None


class KeyTable(Protocol):
    """Where wrapped keys stand, at most one of an account that is not destroyed.

    Blocking, and safe for threads, for several processes and for several nodes that share it.
    What a method has written is durable when it returns. Every method raises `StoreUnavailable`.
    """

    def fingerprint(self, ours: bytes) -> bytes:
        """The master key's fingerprint of these keys; `ours` when there was none."""
        ...

    def live(self, account_id: str) -> StoredKey | None: ...

    def add(self, account_id: str, key: StoredKey, at: int) -> None:
        """Changes nothing when the account has a live key, whoever added it."""
        ...

    def find(self, account_id: str, key_id: str) -> StoredKey | None: ...

    def destroy(self, account_id: str, at: int) -> None: ...

    def count_destroyed(self) -> int:
        """Rises with every key that is destroyed, and never falls."""
        ...


class DataKeys:
    """The stored data keys. Blocking; as safe as their table, and failing as it does."""

    def __init__(self, table: KeyTable, master: MasterKey, clock: Clock) -> None:
        """Raises `MasterKeyProblem` when the keys were wrapped by another master key."""
        self._table, self._wrapping, self._clock = table, master.derive("wrap"), clock
        fingerprint = master.derive("check")
        if not hmac.compare_digest(table.fingerprint(fingerprint), fingerprint):
            raise MasterKeyProblem("the data keys here were written under another master key")

    def current(self, account_id: str) -> DataKey:
        """The account's key; a new one is durable before it is returned.

        All who ask at once get the same one.
        """
        while (stored := self._table.live(account_id)) is None:
            wrapped = aes_key_wrap(self._wrapping, secrets.token_bytes(KEY_BYTES))
            made = StoredKey(f"dk_{secrets.token_hex(16)}", wrapped)
            self._table.add(account_id, made, self._clock.now())
        return self._unwrapped(account_id, stored)

    def find(self, account_id: str, key_id: str) -> DataKey:
        """The account's key of this id.

        Raises `PayloadErased` when it was destroyed, `ValueError` when it never existed.
        """
        stored = self._table.find(account_id, key_id)
        if stored is None:
            raise ValueError(f"{account_id} has no data key {key_id}")
        return self._unwrapped(account_id, stored)

    def destroy(self, account_id: str) -> None:
        """Erases every payload of the account for good; a second time changes nothing."""
        self._table.destroy(account_id, self._clock.now())

    def count_destroyed(self) -> int:
        """By this a process notices that a key which it remembers may be gone."""
        return self._table.count_destroyed()

    def _unwrapped(self, account_id: str, stored: StoredKey) -> DataKey:
        if stored.wrapped is None:
            raise PayloadErased(stored.key_id)
        try:
            secret = aes_key_unwrap(self._wrapping, stored.wrapped)
        except (InvalidUnwrap, ValueError) as error:  # a wrapped key cut short is a ValueError
            raise ValueError(f"data key {stored.key_id} was altered") from error
        info = b"gatewayz/fingerprint/v1"
        mac_key = HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(secret)
        mac = hmac.new(mac_key, digestmod="sha256")
        return DataKey(stored.key_id, account_id, AESGCM(secret), mac)
