"""The `eventsourcing` library's SQLite recorder with gap-free positions and group commit.

What is extended, through the library's own extension points: the connection (durability,
statements that stay prepared), the table (an explicit position, since an implicit rowid may change
under VACUUM), the insert (few multi-row statements, see `rows.py`) and the content of the
transaction (wallets, holds, work, inbox, dead letters).
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeVar

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import (
    SQLITE3_DEFAULT_LOCK_TIMEOUT,
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
)

from adapters.sqlite.rows import insert_rows
from adapters.sqlite.schema import STATEMENTS

# More than there are: each is prepared once a connection.
CACHED_STATEMENTS = 256
Durability = Literal["disk", "process"]
R = TypeVar("R")


class _Pool(SQLiteConnectionPool):
    def __init__(self, durability: Durability, **kwargs: Any) -> None:
        self._durability = durability
        super().__init__(**kwargs)

    def connect(self) -> SQLiteConnection:
        """A connection that is the caller's to close."""
        return self._create_connection()

    def _create_connection(self) -> SQLiteConnection:
        # The library's own connection remembers one prepared statement, so that nearly every
        # statement would be parsed anew.
        opened = sqlite3.connect(
            self.db_name,
            timeout=self.lock_timeout or SQLITE3_DEFAULT_LOCK_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
        )
        opened.row_factory = sqlite3.Row
        # FULL syncs the write-ahead log at every commit and survives a power cut; NORMAL leaves
        # that to the checkpoint and survives a killed process.
        level = "FULL" if self._durability == "disk" else "NORMAL"
        opened.execute("PRAGMA journal_mode=WAL")
        opened.execute(f"PRAGMA synchronous={level}")
        opened.execute("PRAGMA wal_autocheckpoint=4000")
        return SQLiteConnection(opened, self.max_age)


def insert_events(c: SQLiteCursor, rows: Sequence[tuple[Any, ...]]) -> None:
    """Inserts rows of position, stream, version, topic and state in the open transaction."""
    insert_rows(c, "INSERT INTO stored_events", 5, rows)


class Datastore(SQLiteDatastore):
    """The library's datastore with a durability."""

    def __init__(self, path: str, durability: Durability) -> None:
        super().__init__(path, originator_id_type="text")
        self._pool = _Pool(durability, db_name=path, pool_timeout=30.0)
        self.pool = self._pool
        self._writer: SQLiteConnection | None = None

    def writer(self) -> SQLiteConnection:
        """The connection of the one thread that transacts; it is not the pool's."""
        if self._writer is None:
            self._writer = self._pool.connect()
        return self._writer

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        super().close()


class Recorder(SQLiteApplicationRecorder):
    """Stored events with explicit positions, and one transaction for a group of appends."""

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore)
        self._datastore = datastore

    def construct_create_table_statements(self) -> list[str]:
        return STATEMENTS

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **_: Any
    ) -> Sequence[int]:
        first = int(self._max_notification_id(c) or 0) + 1
        rows = [
            (first + i, s.originator_id, s.originator_version, s.topic, s.state)
            for i, s in enumerate(stored_events)
        ]
        insert_events(c, rows)
        return [row[0] for row in rows]

    def transact(self, work: Callable[[SQLiteCursor], R]) -> R:
        """Runs `work` in one transaction and commits it.

        It takes the write lock at once: a transaction that only later turns from reading to
        writing is refused when another process holds the lock, without any wait for it.
        """
        connection = self._datastore.writer()
        cursor = connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            result = work(cursor)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        return result

    def query(self, sql: str, parameters: Iterable[Any] = ()) -> list[Any]:
        """Runs one reading statement."""
        with self.datastore.transaction(commit=False) as c:
            c.execute(sql, tuple(parameters))
            rows: list[Any] = c.fetchall()
            return rows
