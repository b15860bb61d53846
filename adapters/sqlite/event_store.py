"""The embedded event store, its work queues and its log, on one SQLite file."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from adapters.codec.events import EventCodec
from adapters.sqlite.failures import translated
from adapters.sqlite.recorder import Datastore, Durability, Recorder
from adapters.sqlite.schema import DIRECTORY_FAMILIES, IS_DIRECTORY_EVENT, WORK_COLUMNS
from adapters.sqlite.writer import SqliteCommit
from adapters.store.group import Changes, Decider
from adapters.store.group_thread import GroupThread, Worked
from adapters.store.recent_log import RecentLog
from adapters.store.writer import GroupCommitWriter
from domain.billing.wallet import Wallet
from domain.effects import Queue
from domain.event import Event, Recorded
from domain.ports.clock import Clock, Ids
from domain.ports.event_store import Append, Checkpoint, DeadLetter, LogEntry
from domain.ports.work_queue import Receive, Withdraw, WorkItem

R = TypeVar("R")
# The library's own readers leave out positions, or wrap each row in an object of its own.
SELECT_EVENTS = "SELECT rowid, originator_id, originator_version, topic, state FROM stored_events"
# Reads that one hop answers; more would keep the first waiting.
MAX_READS = 200


class SqliteEventStore:
    """`EventStore` and `WorkQueue` on one file; made and used on one event loop."""

    def __init__(
        self,
        path: Path,
        codec: EventCodec,
        clock: Clock,
        ids: Ids,
        durability: Durability = "disk",
    ) -> None:
        """Raises `StoreUnavailable` when the file cannot be opened or is no database."""
        self._codec = codec
        self._clock = clock
        self._datastore = Datastore(str(path), durability)
        self._recorder = Recorder(self._datastore)
        with translated(f"{path} cannot be opened"):
            try:
                self._recorder.create_table()
                head = self._head()
            except BaseException:
                self._datastore.close()
                raise
        self._subscribers: dict[Queue, list[Receive]] = {}
        self._reader: GroupThread[Callable[[], Any], Any] = GroupThread(
            "event-store-reader", MAX_READS, _read_all
        )
        self.log = RecentLog(self.read_log, head)
        decider = Decider(clock, ids, codec.encode)
        commit = SqliteCommit(self._recorder, codec, decider, self._committed)
        self._writer = GroupCommitWriter(commit)

    async def close(self) -> None:
        """Commits what waits and closes the file."""
        await self._writer.close()
        await self._reader.close()
        self._datastore.close()

    def is_available(self) -> bool:
        """Whether the last append could be written; asked again and again, an idle store too is
        seen to be back.
        """
        return self._writer.is_available(self._clock.now())

    async def append(self, append: Append) -> tuple[Recorded[Event], ...]:
        return await self._writer.submit(append)

    async def read_stream(self, stream: str) -> tuple[Recorded[Event], ...]:
        recent = self.log.stream(stream)
        return await self._read(self._read_stream, stream) if recent is None else recent

    async def read_log(
        self, after: int, limit: int, names: Sequence[str] = ()
    ) -> Sequence[LogEntry]:
        return await self._read(self._read_log, after, limit, names)

    async def head(self) -> int:
        return await self._read(self._head)

    async def wallet(self, account_id: str) -> Wallet:
        rows = await self._query(
            "SELECT allowance, purchased, held FROM wallets WHERE account_id = ?", account_id
        )
        return Wallet(*rows[0]) if rows else Wallet()

    async def checkpoint(self, consumer: str) -> Checkpoint:
        marks = await self._query("SELECT watermark FROM checkpoints WHERE consumer = ?", consumer)
        seen = await self._query("SELECT position FROM inbox WHERE consumer = ?", consumer)
        return Checkpoint(marks[0][0] if marks else 0, frozenset(row[0] for row in seen))

    async def dead_letters(self, consumer: str | None = None) -> Sequence[DeadLetter]:
        rows = await self._query(
            "SELECT consumer, position, event_name, error, at, state FROM dead_letters "
            "WHERE ? IS NULL OR consumer = ? ORDER BY position",
            consumer,
            consumer,
        )
        return [DeadLetter(*row) for row in rows]

    async def backlog(self, queue: Queue) -> Sequence[WorkItem]:
        rows = await self._query(
            f"SELECT {WORK_COLUMNS} FROM work WHERE queue = ? ORDER BY position",  # noqa: S608
            queue,
        )
        return [WorkItem(*row) for row in rows]

    async def items(self, queue: Queue, item_ids: Sequence[str]) -> Sequence[WorkItem]:
        rows = await self._query(
            f"SELECT {WORK_COLUMNS} FROM work WHERE queue = ? "  # noqa: S608
            "AND item_id IN (SELECT value FROM json_each(?))",
            queue,
            json.dumps(list(item_ids)),
        )
        return [WorkItem(*row) for row in rows]

    async def waiting(self, queue: Queue, after: int, limit: int) -> Sequence[WorkItem]:
        rows = await self._query(
            f"SELECT {WORK_COLUMNS} FROM work WHERE queue = ? AND position > ? "  # noqa: S608
            "AND lease_id IS NULL ORDER BY position LIMIT ?",
            queue,
            after,
            limit,
        )
        return [WorkItem(*row) for row in rows]

    async def lapsed(self, queue: Queue, now: int) -> Sequence[WorkItem]:
        rows = await self._query(
            f"SELECT {WORK_COLUMNS} FROM work WHERE queue = ? AND leased_until < ?",  # noqa: S608
            queue,
            now,
        )
        return [WorkItem(*row) for row in rows]

    def subscribe(self, queue: Queue, receive: Receive, withdraw: Withdraw | None = None) -> None:  # noqa: ARG002 - every item is ours
        self._subscribers.setdefault(queue, []).append(receive)

    def _committed(self, changes: Changes) -> None:
        self.log.committed(changes.events)
        for item in changes.feed:
            if not _is_free(changes, item):
                continue
            for receive in self._subscribers.get(item.queue, ()):
                receive(item)

    async def _query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        rows = await self._read(self._recorder.query, sql, parameters)
        return [tuple(row) for row in rows]

    async def _read(self, read: Callable[..., R], *arguments: Any) -> R:
        result: R = await self._reader.submit(partial(read, *arguments))
        return result

    def _head(self) -> int:
        return int(self._recorder.max_notification_id() or 0)

    def _read_stream(self, stream: str) -> tuple[Recorded[Event], ...]:
        rows = self._recorder.query(
            f"{SELECT_EVENTS} WHERE originator_id = ? ORDER BY originator_version", (stream,)
        )
        return tuple(self._codec.decode(*row) for row in rows)

    def _read_log(self, after: int, limit: int, names: Sequence[str]) -> Sequence[LogEntry]:
        topics = self._codec.topics_named(names)
        conditions = ["rowid > ?"]
        if names:
            conditions.append(f"topic IN ({','.join('?' * len(topics))})")
        if names and all(name.startswith(DIRECTORY_FAMILIES) for name in names):
            conditions.append(IS_DIRECTORY_EVENT)  # which lets the index of these be used
        rows = self._recorder.query(
            f"{SELECT_EVENTS} WHERE {' AND '.join(conditions)} ORDER BY rowid LIMIT ?",
            (after, *topics, limit),
        )
        return [self._codec.entry(*row) for row in rows]


def _is_free(changes: Changes, item: WorkItem) -> bool:
    """Whether an item may be taken: who asked for it may hold its lease already."""
    left = changes.items.get((item.queue, item.item_id), item)
    return left is not None and left.lease_id is None


def _read_all(reads: Sequence[Callable[[], Any]]) -> Worked[Any]:
    return Worked([_outcome(read) for read in reads])


def _outcome(read: Callable[[], Any]) -> Any:
    """What a read returns or raises; one that fails is nobody else's failure."""
    try:
        with translated("the event store could not be read"):
            return read()
    except Exception as error:  # noqa: BLE001 - raised again where the read was asked for
        return error
