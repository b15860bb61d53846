"""The log as Kafka holds it, in position order: followed as it grows, or read as it stands."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

import structlog

from adapters.codec.events import EventCodec
from adapters.kafka.connection import KafkaConnection, KafkaUnavailable
from adapters.kafka.cursor import GAP_SECONDS, Gap, MergedCursor, opened_cursor
from adapters.kafka.probing import Tails, kafka_errors_translated
from adapters.kafka.records import NotAnEvent, ReceivedRecord, decode, position_of
from adapters.kafka.topics import Topics
from domain.ports.event_store import LogEntry, Unreadable

# Entries in memory: so many that have been read, so many that have not.
KEPT: Final = 2_000
READ_AHEAD: Final = 4_000
TAKEN_AT_ONCE: Final = 1_000
WAIT_MS: Final = 100
LOST: Final = "is in none of the topics, though later ones are"
LATE: Final = "has not come, though later ones have"
SILENT: Final = "Kafka does not answer"
RETRY_SECONDS: Final = (0.1, 0.5, 2.0, 5.0)

log = structlog.get_logger(__name__)


class KafkaStoredLog:
    """`StoredLog` on Kafka, best read from one position onwards.

    Going elsewhere than on from the last read costs a search. Calls wait for each other. Each
    raises `KafkaUnavailable`, also when an event is missing for good.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Topics,
        codec: EventCodec,
        gap_seconds: float = GAP_SECONDS,
    ) -> None:
        self._connection, self._topics, self._codec = connection, topics, codec
        self._gap_seconds = gap_seconds
        self._opened = AsyncExitStack()
        self._cursor: MergedCursor | None = None
        self._tails: Tails | None = None
        self._turn = asyncio.Lock()

    async def close(self) -> None:
        """Lets go of the connections; the next call makes new ones."""
        self._cursor = self._tails = None
        await self._opened.aclose()

    async def head(self) -> int:
        async with self._turn:
            if self._tails is None:
                entering = Tails.opened(self._connection, self._topics.log)
                self._tails = await self._opened.enter_async_context(entering)
            try:
                async with kafka_errors_translated():
                    return await self._tails.highest()
            except KafkaUnavailable:
                await self.close()
                raise

    async def read_log(self, after: int, limit: int) -> Sequence[LogEntry]:
        return [_entry(record, self._codec) for record in await self.records(after, limit)]

    async def records(self, after: int, limit: int) -> list[ReceivedRecord]:
        """The events after a position, up to `limit` or to the end of the topics."""
        async with self._turn:
            try:
                async with kafka_errors_translated():
                    return await self._read(await self._cursor_at(after), limit)
            except KafkaUnavailable:
                await self.close()
                raise

    async def _cursor_at(self, after: int) -> MergedCursor:
        if self._cursor is None:
            entering = opened_cursor(self._connection, self._topics.log, after, self._gap_seconds)
            self._cursor = await self._opened.enter_async_context(entering)
        elif self._cursor.next != after + 1:
            await self._cursor.move(after)
        return self._cursor

    @staticmethod
    async def _read(cursor: MergedCursor, limit: int) -> list[ReceivedRecord]:
        read: list[ReceivedRecord] = []
        while len(read) < limit:
            taken = await cursor.take(limit - len(read), WAIT_MS)
            read += taken
            if cursor.gap is not None and cursor.gap.is_lost:
                raise KafkaUnavailable(f"position {cursor.gap.position} {LOST}")
            if not taken and await cursor.is_at_end():
                break
        return read


class KafkaLog:
    """`Log` on Kafka: follows the topics from where `start` said, ahead of whoever reads.

    The newest entries are in memory; who is far behind reads by a `KafkaStoredLog`. Used on one
    event loop.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Topics,
        codec: EventCodec,
        gap_seconds: float = GAP_SECONDS,
    ) -> None:
        self._connection, self._topics, self._codec = connection, topics, codec
        self._gap_seconds = gap_seconds
        self._stored = KafkaStoredLog(connection, topics, codec, gap_seconds)
        self._cursor: MergedCursor | None = None
        self._problem: str | None = None
        self._failures = 0
        self._recent: list[LogEntry] = []
        self._end = self._head = self._read_up_to = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._room = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    async def start(self, after: int) -> None:
        """Begins to follow after a position; a Kafka that is away is waited for."""
        self._end = self._head = self._read_up_to = after
        self._room.set()
        self._following = asyncio.create_task(self._follow())
        self._following.add_done_callback(self._stopped)

    async def close(self) -> None:
        """Stops following."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})
        await self._stored.close()

    @property
    def gap(self) -> Gap | None:
        """The event that keeps all later ones back, if one is missing for some time."""
        return None if self._cursor is None else self._cursor.gap

    @property
    def problem(self) -> str | None:
        """Why the log does not move on; None while all is well."""
        if (gap := self.gap) is not None:
            return f"position {gap.position} {LOST if gap.is_lost else LATE}"
        return self._problem

    def head(self) -> int:
        return self._head

    async def read(self, after: int, limit: int) -> Sequence[LogEntry]:
        if after >= self._end:
            return ()
        self._make_room(min(after + limit, self._end))
        first = self._end - len(self._recent) + 1
        if after + 1 < first:
            return await self._stored.read_log(after, min(limit, first - after - 1))
        return self._recent[after + 1 - first : after + 1 - first + limit]

    async def at(self, position: int) -> LogEntry:
        entries = await self.read(position - 1, 1)
        if not entries or entries[0].position != position:
            raise LookupError(f"there is nothing at position {position}")
        return entries[0]

    async def wait(self, after: int) -> None:
        while self._end <= after:
            self._make_room(self._end)
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    async def _follow(self) -> None:
        while True:
            try:
                async with opened_cursor(
                    self._connection, self._topics.log, self._end, self._gap_seconds
                ) as self._cursor:
                    self._problem = None
                    self._head = max(self._head, self._cursor.end_at_opening)
                    await self._pump(self._cursor)
            except KafkaUnavailable as error:
                self._problem = str(error)
                log.warning("kafka.log_waiting", position=self._end, error=str(error))
            self._cursor = None
            await asyncio.sleep(RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)])
            self._failures += 1

    async def _pump(self, cursor: MergedCursor) -> None:
        while True:
            await self._room.wait()
            if records := await cursor.take(TAKEN_AT_ONCE, WAIT_MS):
                self._take_in([_entry(record, self._codec) for record in records])
                self._failures = 0
            self._problem = SILENT if not records and cursor.is_silent else None
            self._head = max(self._head, cursor.highest)

    def _take_in(self, entries: Sequence[LogEntry]) -> None:
        self._recent += entries
        self._end = entries[-1].position
        self._head = max(self._head, self._end)
        self._make_room(self._read_up_to)
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _stopped(self, following: "asyncio.Task[None]") -> None:
        """Lets no one wait for what does not come; only a mistake of ours ends the following."""
        error = None if following.cancelled() else following.exception()
        for waiter in self._waiters:
            if error is not None and not waiter.done():
                self._problem = repr(error)
                waiter.set_exception(error)

    def _make_room(self, read_up_to: int) -> None:
        """Forgets what was read long ago; stops reading ahead of a reader that is slow."""
        self._read_up_to = max(self._read_up_to, read_up_to)
        unread = self._end - self._read_up_to
        if len(self._recent) > unread + 2 * KEPT:
            del self._recent[: len(self._recent) - unread - KEPT]
        if unread < READ_AHEAD:
            self._room.set()
        else:
            self._room.clear()


def _entry(record: ReceivedRecord, codec: EventCodec) -> LogEntry:
    """What a record says, be it that it stands at an event's place and is none."""
    try:
        return decode(record, codec)
    except NotAnEvent as error:
        stream = (record.key or b"").decode(errors="replace")
        return Unreadable(position_of(record), stream, "", record.value or b"", str(error))
