"""Reading the cluster's log without writing to it, beside nodes at work or without any."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import tuple_row

from adapters.codec.events import EventCodec
from adapters.postgres.failures import translated
from adapters.postgres.recorder import KEEPALIVES
from domain.billing.wallet import Wallet
from domain.ports.event_store import LogEntry
from domain.ports.stored_rows import StoredRow

COLUMNS = "notification_id, originator_id, originator_version, topic, state"
SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
READ_ONLY = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"
CANNOT_BE_READ = "the event store cannot be read"


class PostgresLogReader:
    """`StoredLog` and `StoredRows` on the event store's database, over one connection.

    Used by one caller at a time. Every method raises `StoreUnavailable` when the database does
    not answer or holds no event store.
    """

    def __init__(self, url: str, codec: EventCodec, connect_timeout: float = 5.0) -> None:
        self._codec = codec
        with translated(CANNOT_BE_READ):
            self._connection = psycopg.connect(
                make_conninfo(url, connect_timeout=max(2, round(connect_timeout)), **KEEPALIVES),
                autocommit=True,
                row_factory=tuple_row,
            )
            self._connection.execute(READ_ONLY)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def rows(self, after: int, limit: int) -> list[StoredRow]:
        """Up to `limit` stored events after position `after`, in order."""
        sql = (
            f"SELECT {COLUMNS} FROM stored_events WHERE notification_id > %s "
            "ORDER BY notification_id LIMIT %s"
        )
        return [StoredRow(*row) for row in self._query(sql, after, limit)]

    def last(self) -> int:
        """The last position, 0 when the log is empty."""
        return int(self._query("SELECT MAX(notification_id) FROM stored_events")[0][0] or 0)

    def entries(self, after: int, limit: int) -> list[LogEntry]:
        """The same, decoded."""
        return [
            self._codec.entry(row.position, row.stream, row.version, row.topic, row.state)
            for row in self.rows(after, limit)
        ]

    def wallets(self) -> dict[str, Wallet]:
        """The wallet of every account."""
        rows = self._query("SELECT account_id, allowance, purchased, held FROM wallets")
        return {account_id: Wallet(*map(int, balances)) for account_id, *balances in rows}

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read inside is of one instant."""
        self._query(SNAPSHOT)
        try:
            yield
        finally:
            self._query("ROLLBACK")

    async def head(self) -> int:
        return await asyncio.to_thread(self.last)

    async def read_log(self, after: int, limit: int) -> Sequence[LogEntry]:
        return await asyncio.to_thread(self.entries, after, limit)

    def _query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with translated(CANNOT_BE_READ):
            cursor = self._connection.execute(sql.encode(), parameters)
            return cursor.fetchall() if cursor.description else []
