"""The data keys of the embedded profile, in a small SQLite database of their own."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.crypto.data_keys import DataKeys, StoredKey
from adapters.crypto.master_key import MasterKey
from domain.errors import StoreUnavailable
from domain.ports.clock import Clock

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
CREATE INDEX IF NOT EXISTS destroyed_keys ON data_keys (key_id) WHERE wrapped IS NULL;
"""
# A rollback journal and secure_delete: a destroyed key stands in no page and no write-ahead log.
PRAGMAS = (
    "journal_mode = DELETE",
    "synchronous = FULL",
    "secure_delete = ON",
    "busy_timeout = 5000",
)


class SqliteDataKeys(DataKeys):
    """The data keys in this file, which is made, for its owner alone, when it is not there."""

    def __init__(self, path: Path, master: MasterKey, clock: Clock) -> None:
        """Raises `MasterKeyProblem` and `StoreUnavailable`."""
        self._file = _KeyFile(path)
        try:
            super().__init__(self._file, master, clock)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()


class _KeyFile:
    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        path.touch(mode=0o600)
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            for pragma in PRAGMAS:
                self._database.execute(f"PRAGMA {pragma}")
            self._database.executescript(SCHEMA)
        except sqlite3.Error as error:
            self._database.close()
            raise StoreUnavailable(f"{path} cannot be opened: {error}") from error

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def fingerprint(self, ours: bytes) -> bytes:
        with self._transaction() as database:
            row = database.execute("SELECT fingerprint FROM master_key").fetchone()
            if row is not None:
                return bytes(row[0])
            database.execute("INSERT INTO master_key VALUES (?)", (ours,))
        return ours

    def live(self, account_id: str) -> StoredKey | None:
        with self._transaction() as database:
            row = database.execute(
                "SELECT key_id, wrapped FROM data_keys"
                " WHERE account_id = ? AND wrapped IS NOT NULL",
                (account_id,),
            ).fetchone()
        return row and StoredKey(*row)

    def add(self, account_id: str, key: StoredKey, at: int) -> None:
        with self._transaction() as database:
            database.execute(
                "INSERT INTO data_keys (key_id, account_id, wrapped, created_at)"
                " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (key.key_id, account_id, key.wrapped, at),
            )

    def find(self, account_id: str, key_id: str) -> StoredKey | None:
        with self._transaction() as database:
            row = database.execute(
                "SELECT key_id, wrapped FROM data_keys WHERE key_id = ? AND account_id = ?",
                (key_id, account_id),
            ).fetchone()
        return row and StoredKey(*row)

    def destroy(self, account_id: str, at: int) -> None:
        with self._transaction() as database:
            database.execute(
                "UPDATE data_keys SET wrapped = NULL, destroyed_at = ?"
                " WHERE account_id = ? AND wrapped IS NOT NULL",
                (at, account_id),
            )

    def count_destroyed(self) -> int:
        with self._transaction() as database:
            counted = database.execute("SELECT count(*) FROM data_keys WHERE wrapped IS NULL")
            return int(counted.fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                with self._database:
                    yield self._database
            except sqlite3.Error as error:
                raise StoreUnavailable(f"data keys: {error}") from error
