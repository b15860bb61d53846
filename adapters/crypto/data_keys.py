"""The data keys of the accounts: made on first use, stored wrapped by the master key.

They stand in a small database of their own beside the log, so that destroying one (erasure)
touches no log, and a copy of the log alone stays unreadable.
"""

import hmac
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from adapters.crypto.master_key import KEY_BYTES, MasterKey, MasterKeyProblem
from domain.errors import StoreUnavailable
from domain.ports.clock import Clock
from domain.ports.payloads import PayloadErased

SCHEMA = """
CREATE TABLE IF NOT EXISTS master_key (fingerprint BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS data_keys (
  key_id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  wrapped BLOB,
  created_at INTEGER NOT NULL,
  destroyed_at INTEGER
);
CREATE UNIQUE INDEX IF NOT EXISTS one_live_key ON data_keys (account_id) WHERE wrapped IS NOT NULL;
"""
# A rollback journal and secure_delete: a destroyed key stands in no page and no write-ahead log.
PRAGMAS = (
    "journal_mode = DELETE",
    "synchronous = FULL",
    "secure_delete = ON",
    "busy_timeout = 5000",
)


@dataclass(frozen=True, slots=True, eq=False)
class DataKey:
    """One account's key, ready for use: `cipher` seals, `mac_key` fingerprints."""

    key_id: str
    account_id: str
    cipher: AESGCM
    mac_key: bytes

    def __repr__(self) -> str:
        return f"DataKey({self.key_id})"


class DataKeys:
    """The stored data keys. Blocking, and safe for threads and for several processes.

    Every method raises `StoreUnavailable` when the database cannot be used.
    """

    def __init__(self, path: Path, master: MasterKey, clock: Clock) -> None:
        """Raises `MasterKeyProblem` when the keys were wrapped by another master key."""
        self._wrapping, self._clock = master.derive("wrap"), clock
        self._lock = threading.Lock()
        path.touch(mode=0o600)
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._open(master.derive("check"))
        except sqlite3.Error as error:
            self._database.close()
            raise StoreUnavailable(f"{path} cannot be opened: {error}") from error
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def current(self, account_id: str) -> DataKey:
        """The account's key; a new one is durable before it is returned."""
        with self._transaction() as database:
            row = database.execute(
                "SELECT key_id, wrapped FROM data_keys"
                " WHERE account_id = ? AND wrapped IS NOT NULL",
                (account_id,),
            ).fetchone()
            if row is not None:
                return self._unwrapped(account_id, *row)
            secret, key_id = secrets.token_bytes(KEY_BYTES), f"dk_{secrets.token_hex(16)}"
            database.execute(
                "INSERT INTO data_keys (key_id, account_id, wrapped, created_at)"
                " VALUES (?, ?, ?, ?)",
                (key_id, account_id, aes_key_wrap(self._wrapping, secret), self._clock.now()),
            )
        return _data_key(key_id, account_id, secret)

    def find(self, account_id: str, key_id: str) -> DataKey:
        """The account's key of this id.

        Raises `PayloadErased` when it was destroyed, `ValueError` when it never existed.
        """
        with self._transaction() as database:
            row = database.execute(
                "SELECT wrapped FROM data_keys WHERE key_id = ? AND account_id = ?",
                (key_id, account_id),
            ).fetchone()
        if row is None:
            raise ValueError(f"{account_id} has no data key {key_id}")
        if row[0] is None:
            raise PayloadErased(key_id)
        return self._unwrapped(account_id, key_id, row[0])

    def destroy(self, account_id: str) -> None:
        """Erases every payload of the account for good; a second time changes nothing."""
        with self._transaction() as database:
            database.execute(
                "UPDATE data_keys SET wrapped = NULL, destroyed_at = ?"
                " WHERE account_id = ? AND wrapped IS NOT NULL",
                (self._clock.now(), account_id),
            )

    def _open(self, fingerprint: bytes) -> None:
        for pragma in PRAGMAS:
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(SCHEMA)
        with self._transaction() as database:
            row = database.execute("SELECT fingerprint FROM master_key").fetchone()
            if row is None:
                database.execute("INSERT INTO master_key VALUES (?)", (fingerprint,))
            elif not hmac.compare_digest(row[0], fingerprint):
                raise MasterKeyProblem("this data directory was written under another master key")

    def _unwrapped(self, account_id: str, key_id: str, wrapped: bytes) -> DataKey:
        try:
            secret = aes_key_unwrap(self._wrapping, wrapped)
        except InvalidUnwrap as error:
            raise ValueError(f"data key {key_id} was altered") from error
        return _data_key(key_id, account_id, secret)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                with self._database:
                    yield self._database
            except sqlite3.Error as error:
                raise StoreUnavailable(f"data keys: {error}") from error


def _data_key(key_id: str, account_id: str, secret: bytes) -> DataKey:
    mac_key = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"gatewayz/fingerprint/v1").derive(secret)
    return DataKey(key_id, account_id, AESGCM(secret), mac_key)
