"""Reading the log of a data directory without writing to it, also beside a running engine."""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.codec.events import EventCodec
from domain.billing.wallet import Wallet
from domain.errors import StoreUnavailable
from domain.ports.event_store import LogEntry
from domain.ports.stored_rows import StoredRow

COLUMNS = "rowid, originator_id, originator_version, topic, state"


class LogReader:
    """`StoredLog` on the event store's file, opened for reading alone.

    Used by one caller at a time. Every method raises `StoreUnavailable` when the file is missing
    or is no event store.
    """

    def __init__(self, path: Path, codec: EventCodec) -> None:
        self._codec = codec
        with _translated(path):
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
            )
        self._path = path

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def rows(self, after: int, limit: int) -> list[StoredRow]:
        """Up to `limit` stored events after position `after`, in order."""
        return [
            StoredRow(*row)
            for row in self._query(
                f"SELECT {COLUMNS} FROM stored_events WHERE rowid > ? ORDER BY rowid LIMIT ?",  # noqa: S608
                after,
                limit,
            )
        ]

    def last(self) -> int:
        """The last position, 0 when the log is empty."""
        return int(self._query("SELECT MAX(rowid) FROM stored_events")[0][0] or 0)

    def entries(self, after: int, limit: int) -> list[LogEntry]:
        """The same, decoded."""
        return [
            self._codec.entry(row.position, row.stream, row.version, row.topic, row.state)
            for row in self.rows(after, limit)
        ]

    def wallets(self) -> dict[str, Wallet]:
        """The wallet of every account."""
        rows = self._query("SELECT account_id, allowance, purchased, held FROM wallets")
        return {account_id: Wallet(*balances) for account_id, *balances in rows}

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read inside is of one instant."""
        self._query("BEGIN")
        try:
            yield
        finally:
            self._query("ROLLBACK")

    async def head(self) -> int:
        return await asyncio.to_thread(self.last)

    async def read_log(self, after: int, limit: int) -> Sequence[LogEntry]:
        return await asyncio.to_thread(self.entries, after, limit)

    def _query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with _translated(self._path):
            return self._connection.execute(sql, parameters).fetchall()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{path} cannot be read: {error}") from error
