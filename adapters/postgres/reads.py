"""Reading the store on its own thread: all reads that wait at once go in one round trip."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg import Connection
from psycopg.rows import tuple_row

from adapters.postgres.failures import LOST, translated
from adapters.postgres.recorder import Datastore
from adapters.store.group_thread import GroupThread, Worked

# Reads that one round trip answers; more would keep the first waiting.
MAX_READS = 200
R = TypeVar("R")
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Read:
    """A statement and what is made of its rows."""

    sql: str
    parameters: Sequence[Any]
    convert: Callable[[Rows], Any]


class ReaderThread:
    """Answers reads in the order of asking. `read` raises `StoreUnavailable` once closed."""

    def __init__(self, name: str, datastore: Datastore) -> None:
        self._pool = datastore.pool
        self._thread: GroupThread[Read, Any] = GroupThread(name, MAX_READS, self._read_all)

    async def close(self) -> None:
        """Answers what waits and ends the thread."""
        await self._thread.close()

    async def read(self, sql: str, parameters: Sequence[Any], convert: Callable[[Rows], R]) -> R:
        """What `convert` makes of the rows. Raises `StoreUnavailable`."""
        result: R = await self._thread.submit(Read(sql, parameters, convert))
        return result

    def _read_all(self, reads: Sequence[Read]) -> Worked[Any]:
        with translated("the event store could not be read"):
            try:
                rows = self._rows(reads)
            except LOST:  # a connection that broke while it lay idle; the next one is fresh
                rows = self._rows(reads)
        return Worked([_converted(read, found) for read, found in zip(reads, rows, strict=True)])

    def _rows(self, reads: Sequence[Read]) -> list[Rows]:
        with self._pool.connection() as connection:
            if len(reads) > 1:
                with suppress(psycopg.DataError), connection.pipeline():
                    cursors = [_cursor(connection, read) for read in reads]
                    return [cursor.fetchall() for cursor in cursors]
            return [_alone(connection, read) for read in reads]


def _alone(connection: Connection[Any], read: Read) -> Rows:
    try:
        return _cursor(connection, read).fetchall()
    except psycopg.DataError:  # a text that PostgreSQL cannot hold stands nowhere in it
        return []


def _cursor(connection: Connection[Any], read: Read) -> psycopg.Cursor[tuple[Any, ...]]:
    return connection.cursor(row_factory=tuple_row).execute(read.sql.encode(), read.parameters)


def _converted(read: Read, rows: Rows) -> Any:
    """What a read returns or raises; one that fails is nobody else's failure."""
    try:
        return read.convert(rows)
    except Exception as error:  # noqa: BLE001 - raised again where the read was asked for
        return error
