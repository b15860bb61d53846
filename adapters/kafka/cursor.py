"""One reader of all partitions at once, in position order from a position on.

Memory is bounded: when too much is held back, the partitions that it came from are paused. None of
them can have the missing event still before it, because positions rise within a partition.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from adapters.kafka.connection import KafkaConnection
from adapters.kafka.merge import Merge
from adapters.kafka.probing import Offsets, Tails, bounds, offsets_after, opened_consumer
from adapters.kafka.records import RELAYED_AT_ONCE, NotAnEvent, position_of

FETCH_RECORDS: Final = 1_000
MAX_HELD: Final = 20_000
# How long a gap may stay open before it is told; a relay that tries again closes it sooner.
GAP_SECONDS: Final = 5.0
# Kafka answers several times a second, be it with nothing.
SILENT_SECONDS: Final = 3.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gap:
    """A position that has not come, while later ones have.

    `is_lost`: the relay has gone on beyond it, and it is in none of the topics.
    """

    position: int
    is_lost: bool


class MergedCursor:
    """Used by one caller at a time; see `opened_cursor`."""

    def __init__(self, consumer: AIOKafkaConsumer, end_at_opening: int, gap_seconds: float) -> None:
        self._consumer, self._gap_seconds = consumer, gap_seconds
        self.end_at_opening = end_at_opening
        self._merge: Merge[ConsumerRecord] = Merge(0)
        # The position that came last from each partition.
        self._last: dict[TopicPartition, int] = {}
        self._waiting: _Wait | None = None
        self._moved_at = 0.0
        # Whether the reading may have begun behind events that it needs.
        self._may_have_missed = False

    @property
    def next(self) -> int:
        """The position of the event that is handed out next."""
        return self._merge.next

    @property
    def highest(self) -> int:
        """The highest position seen since the last `move`."""
        return self._merge.highest

    @property
    def held(self) -> int:
        """How many events are in memory, waiting for one before them."""
        return len(self._merge)

    @property
    def gap(self) -> Gap | None:
        """The event that has been missing for some time, if any is."""
        waiting = self._waiting
        return Gap(waiting.position, waiting.is_lost) if waiting and waiting.is_long else None

    @property
    def is_silent(self) -> bool:
        """Whether Kafka has not answered for some time; asked while nothing comes."""
        consumer = self._consumer
        answers = (consumer.last_poll_timestamp(one) or 0 for one in consumer.assignment())
        return time.time() * 1000 - max(self._moved_at, *answers) > SILENT_SECONDS * 1000

    async def move(self, after: int) -> None:
        """Goes on after a position."""
        self._consumer.pause(*self._consumer.assignment())
        for partition, offset in (await offsets_after(self._consumer, after)).items():
            self._consumer.seek(partition, offset)
        self._consumer.resume(*self._consumer.assignment())
        self._merge, self._last = Merge(after), {}
        self._moved_at = time.time() * 1000
        self._may_have_missed = after > 0
        self._waiting = None

    async def take(self, limit: int, wait_ms: int) -> list[ConsumerRecord]:
        """Up to `limit` events, the next in order; empty when none has come in this time."""
        if not (records := self._merge.take(limit)):
            await self._fetch(wait_ms)
            records = self._merge.take(limit)
        await self._watch()
        return records

    async def is_at_end(self) -> bool:
        """Whether all that stands in the topics has been read."""
        ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        return all([await self._consumer.position(one) >= end for one, end in ends.items()])

    async def _fetch(self, wait_ms: int) -> None:
        self._balance()
        fetched = await self._consumer.getmany(timeout_ms=wait_ms, max_records=FETCH_RECORDS)
        for partition, records in fetched.items():
            for record in records:
                try:
                    position = position_of(record)
                    self._merge.add(position, record)
                    self._last[partition] = position
                except NotAnEvent as error:
                    place = f"{partition.topic}-{partition.partition}@{record.offset}"
                    log.warning("kafka.stranger", place=place, error=str(error))

    def _balance(self) -> None:
        """Pauses what is ahead while too much is held; never what may have the next event."""
        paused: set[TopicPartition] = self._consumer.paused()
        is_full = len(self._merge) >= MAX_HELD
        if not is_full and not paused:
            return
        ahead = set[TopicPartition]()
        if len(self._merge) > MAX_HELD // 2 and not self._is_searching:
            ahead = {one for one, last in self._last.items() if last >= self._merge.next}
        self._consumer.resume(*(paused - ahead))
        if is_full:
            self._consumer.pause(*(ahead - paused))

    @property
    def _is_searching(self) -> bool:
        return self._waiting is not None and self._waiting.searched is not None

    async def _watch(self) -> None:
        """Looks after a gap: it is searched for once it should not be there any more."""
        if not self._merge.is_waiting:
            self._waiting = None
        elif self._waiting is None or self._waiting.position != self._merge.next:
            patience_ends = asyncio.get_running_loop().time() + self._gap_seconds
            self._waiting = _Wait(self._merge.next, patience_ends)
        elif self._waiting.searched is not None:
            await self._end_search(self._waiting, self._waiting.searched)
        elif self._waiting.is_long and not self._waiting.is_lost and self._is_worth_a_search:
            self._may_have_missed = False
            self._waiting.searched = await self._search()

    @property
    def _is_worth_a_search(self) -> bool:
        return self._is_overdue or self._may_have_missed

    @property
    def _is_overdue(self) -> bool:
        return self._merge.highest - self._merge.next >= RELAYED_AT_ONCE

    async def _search(self) -> Offsets:
        """Begins to read everything once more; returns where each partition stood before.

        A batch that a broken relay had on its way for long can stand behind later ones, and then
        the search for the place to begin at may have ended behind events that it needs.
        """
        log.warning("kafka.gap", position=self._merge.next)
        before = {one: await self._consumer.position(one) for one in self._consumer.assignment()}
        for partition, (begin, _) in (await bounds(self._consumer)).items():
            self._consumer.seek(partition, begin)
        self._consumer.resume(*self._consumer.paused())
        return before

    async def _end_search(self, waiting: "_Wait", before: Offsets) -> None:
        if all([await self._consumer.position(one) >= end for one, end in before.items()]):
            waiting.searched, waiting.is_lost = None, self._is_overdue
            if waiting.is_lost:
                log.error("kafka.lost", position=waiting.position)


@dataclass(slots=True)
class _Wait:
    """For a position that later ones overtook, and what has been done about it.

    `searched`: while everything is read once more, where each partition stood before.
    """

    position: int
    patience_ends: float
    searched: Offsets | None = None
    is_lost: bool = False

    @property
    def is_long(self) -> bool:
        return asyncio.get_running_loop().time() >= self.patience_ends


@asynccontextmanager
async def opened_cursor(
    connection: KafkaConnection,
    topics: Sequence[str],
    after: int,
    gap_seconds: float = GAP_SECONDS,
) -> AsyncIterator[MergedCursor]:
    """A cursor on a consumer of its own. Raises `KafkaUnavailable`, also while it is used."""
    async with opened_consumer(connection, topics) as consumer:
        cursor = MergedCursor(consumer, await Tails(consumer).highest(), gap_seconds)
        await cursor.move(after)
        yield cursor
