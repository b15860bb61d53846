"""The cluster's event store and work rows, on PostgreSQL."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from adapters.codec.events import EventCodec
from adapters.postgres.failures import translated
from adapters.postgres.reads import ReaderThread, Rows
from adapters.postgres.recorder import Datastore, Recorder
from adapters.postgres.tail import HeadLog, NodeLog
from adapters.postgres.transaction import OF_QUEUE, WORK_COLUMNS
from adapters.postgres.writer import PostgresCommit
from adapters.store.group import Changes, Decider
from adapters.store.writer import GroupCommitWriter
from domain.billing.wallet import Wallet
from domain.effects import Queue
from domain.errors import StoreUnavailable
from domain.event import Event, Recorded
from domain.ports.clock import Clock, Ids
from domain.ports.event_store import Append, Checkpoint, DeadLetter, LogEntry
from domain.ports.work_queue import WorkItem

R = TypeVar("R")
EVENT_COLUMNS = "notification_id, originator_id, originator_version, topic, state"
# As the index of these events has it; see the first migration.
DIRECTORY_FAMILIES = ("access.", "catalog.", "webhooks.endpoint.")
IS_DIRECTORY_EVENT = (
    "(topic LIKE 'access.%%' OR topic LIKE 'catalog.%%' OR topic LIKE 'webhooks.endpoint.%%')"
)


class PostgresEventStore:
    """`EventStore` and the rows of the work queues; made and used on one event loop.

    The tables are there (`adapters.postgres.migrating`). `log` is this node's view of the log;
    whoever owns the store runs `log.run()`.
    """

    def __init__(
        self,
        datastore: Datastore,
        codec: EventCodec,
        clock: Clock,
        ids: Ids,
        poll_seconds: float = 0.05,
        *,
        follows: bool = True,
    ) -> None:
        """With `follows` the log keeps the newest entries, else it only knows how far it is.

        Raises `StoreUnavailable` when the database cannot be reached.
        """
        self._codec = codec
        self._clock = clock
        self._tell: Callable[[], None] | None = None
        with translated("the event store cannot be opened"):
            datastore.pool.open(wait=True, timeout=datastore.pool.timeout)
            self._recorder = Recorder(datastore)
            head = int(self._recorder.max_notification_id() or 0)
        # Pages of the log are long; single streams must not wait for them, nor must the tail,
        # which tells of revoked keys, wait for anybody.
        self.reader = ReaderThread("event-store-reader", datastore)
        self.pages = ReaderThread("event-store-pages", datastore)
        self._tail = ReaderThread("event-store-tail", datastore)
        self.log: NodeLog = (
            NodeLog(self._read_tail, head, poll_seconds)
            if follows
            else HeadLog(self.read_log, self.head, head, poll_seconds)
        )
        decider = Decider(clock, ids, codec.encode)
        self._commit = PostgresCommit(self._recorder, codec, decider, self._committed)
        self._writer = GroupCommitWriter(self._commit)

    def tell(self, others: Callable[[], None]) -> None:
        """Calls `others` after every commit of events: somebody may wait for them elsewhere."""
        self._tell = others

    async def close(self) -> None:
        """Commits what waits and ends the threads. The datastore is closed by who opened it."""
        await self._writer.close()
        await self.reader.close()
        await self.pages.close()
        await self._tail.close()

    def is_available(self) -> bool:
        """Whether the last append could be written, and the log be followed since; asked again
        and again, an idle store too is seen to be back.
        """
        return self._writer.is_available(self._clock.now()) and not self.log.is_away

    async def append(self, append: Append) -> tuple[Recorded[Event], ...]:
        if self._commit.is_unsure:
            raise StoreUnavailable("the event store is away")
        return await self._writer.submit(append)

    async def read_stream(self, stream: str) -> tuple[Recorded[Event], ...]:
        sql = (
            f"SELECT {EVENT_COLUMNS} FROM stored_events "
            "WHERE originator_id = %s ORDER BY originator_version"
        )
        return await self._read(
            lambda rows: tuple(self._codec.decode(*row) for row in rows), sql, stream
        )

    async def read_log(
        self, after: int, limit: int, names: Sequence[str] = ()
    ) -> Sequence[LogEntry]:
        conditions, parameters = ["notification_id > %s"], list[Any]((after,))
        if names:
            conditions.append("topic = ANY(%s)")
            parameters.append(self._codec.topics_named(names))
        if names and all(name.startswith(DIRECTORY_FAMILIES) for name in names):
            conditions.append(IS_DIRECTORY_EVENT)  # which lets the index of these be used
        sql = (
            f"SELECT {EVENT_COLUMNS} FROM stored_events WHERE {' AND '.join(conditions)} "
            "ORDER BY notification_id LIMIT %s"
        )
        convert = partial(_entries, self._codec)
        return await self.pages.read(sql, (*parameters, limit), convert)

    async def _read_tail(self, after: int, limit: int) -> Sequence[LogEntry]:
        sql = (
            f"SELECT {EVENT_COLUMNS} FROM stored_events WHERE notification_id > %s "
            "ORDER BY notification_id LIMIT %s"
        )
        return await self._tail.read(sql, (after, limit), partial(_entries, self._codec))

    async def head(self) -> int:
        return await self._read(lambda rows: int(rows[0][0]), "SELECT position FROM log_head")

    async def wallet(self, account_id: str) -> Wallet:
        sql = "SELECT allowance, purchased, held FROM wallets WHERE account_id = %s"
        return await self._read(
            lambda rows: Wallet(*map(int, rows[0])) if rows else Wallet(), sql, account_id
        )

    async def checkpoint(self, consumer: str) -> Checkpoint:
        marks, seen = await asyncio.gather(
            self._read(list, "SELECT watermark FROM checkpoints WHERE consumer = %s", consumer),
            self._read(list, "SELECT position FROM inbox WHERE consumer = %s", consumer),
        )
        return Checkpoint(marks[0][0] if marks else 0, frozenset(row[0] for row in seen))

    async def dead_letters(self, consumer: str | None = None) -> Sequence[DeadLetter]:
        sql = (
            "SELECT consumer, position, event_name, error, at, state FROM dead_letters "
            "WHERE %s::text IS NULL OR consumer = %s ORDER BY position"
        )
        return await self._read(
            lambda rows: [DeadLetter(*row) for row in rows], sql, consumer, consumer
        )

    async def backlog(self, queue: Queue) -> Sequence[WorkItem]:
        return await self._items("queue = %s ORDER BY position", queue)

    async def lapsed(self, queue: Queue, now: int) -> Sequence[WorkItem]:
        return await self._items("queue = %s AND leased_until < %s", queue, now)

    async def items(self, queue: Queue, item_ids: Sequence[str]) -> Sequence[WorkItem]:
        """Those of these items that are not done, as they are now."""
        return await self._items(f"item_id = ANY(%s) AND {OF_QUEUE}", list(item_ids), queue)

    async def waiting(self, queue: Queue, after: int, limit: int) -> Sequence[WorkItem]:
        """Items without a lease, page by page."""
        condition = "queue = %s AND position > %s AND lease_id IS NULL ORDER BY position LIMIT %s"
        return await self._items(condition, queue, after, limit)

    async def _items(self, condition: str, *parameters: Any) -> Sequence[WorkItem]:
        return await self._read(
            lambda rows: [WorkItem(*row) for row in rows],
            f"SELECT {WORK_COLUMNS} FROM work WHERE {condition}",
            *parameters,
        )

    def _committed(self, changes: Changes) -> None:
        self.log.committed(changes.events)
        if changes.events and self._tell is not None:
            self._tell()

    async def _read(self, convert: Callable[[Rows], R], sql: str, *parameters: Any) -> R:
        return await self.reader.read(sql, parameters, convert)


def _entries(codec: EventCodec, rows: Rows) -> Sequence[LogEntry]:
    return [codec.entry(*row) for row in rows]
