"""Looking into partitions: their last events, and where those after a position begin.

Positions rise within a partition, but for events that were sent again; so the place of a position
is searched for, guessed by proportion and by halves in turn. That asks for no clock: times of
events come from many nodes and need not rise.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from adapters.kafka.connection import KafkaConnection, KafkaUnavailable
from adapters.kafka.records import NotAnEvent, position_of

# Of one partition, so that no partition fills a fetch alone.
PARTITION_FETCH_BYTES: Final = 256 * 2**10
FETCH_BYTES: Final = 16 * 2**20
FETCH_WAIT_MS: Final = 200
REQUEST_TIMEOUT_MS: Final = 10_000
ANSWER_SECONDS: Final = 10
POLL_MS: Final = 100
# Reading so many events in vain costs less than looking for their end.
NEAR: Final = 250
Offsets = dict[TopicPartition, int]


@asynccontextmanager
async def kafka_errors_translated() -> AsyncIterator[None]:
    """Makes what the client raises, and a time that ran out, a `KafkaUnavailable`."""
    try:
        yield
    except KafkaError as error:
        raise KafkaUnavailable(f"Kafka: {error!r}") from error
    except TimeoutError as error:
        raise KafkaUnavailable("Kafka did not answer in time") from error


@asynccontextmanager
async def opened_consumer(
    connection: KafkaConnection, topics: Sequence[str], **options: Any
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer outside of any group with every partition of `topics`, all of them paused."""
    consumer = AIOKafkaConsumer(
        *topics,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_wait_ms=FETCH_WAIT_MS,
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        **connection.for_aiokafka(),
        **options,
    )
    async with kafka_errors_translated():
        try:
            await _started(consumer, f"{connection.bootstrap_servers} has no answer on {topics[0]}")
            for partition in consumer.assignment():
                consumer.seek(partition, 0)
            consumer.pause(*consumer.assignment())
            yield consumer
        finally:
            with suppress(KafkaError, OSError):
                await consumer.stop()


async def _started(consumer: AIOKafkaConsumer, complaint: str) -> None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await consumer.start()
    except TimeoutError as error:  # the brokers are away, or the topics were never made
        raise KafkaUnavailable(complaint) from error


async def last_records(consumer: AIOKafkaConsumer) -> dict[TopicPartition, ConsumerRecord]:
    """The last event of every partition that has any."""
    return await records_at(
        consumer,
        {one: end - 1 for one, (begin, end) in (await bounds(consumer)).items() if end > begin},
    )


async def highest_near_end(consumer: AIOKafkaConsumer, records: int) -> int:
    """The highest position among so many last records of every partition, 0 when there is none."""
    edges = await bounds(consumer)
    left = {one: end for one, (begin, end) in edges.items() if end > begin}
    for one, end in left.items():
        consumer.seek(one, max(edges[one][0], end - records))
    highest = 0
    consumer.resume(*left)
    try:
        while left:
            async with asyncio.timeout(ANSWER_SECONDS):
                fetched = await consumer.getmany(timeout_ms=POLL_MS)
            for record in (record for batch in fetched.values() for record in batch):
                highest = max(highest, position_of(record) if _is_event(record) else 0)
            left = {one: end for one, end in left.items() if await consumer.position(one) < end}
    finally:
        consumer.pause(*edges)
    return highest


async def bounds(consumer: AIOKafkaConsumer) -> dict[TopicPartition, tuple[int, int]]:
    """The first offset of every partition, and the one after its last."""
    partitions = list(consumer.assignment())
    begins, ends = await asyncio.gather(
        consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    )
    return {one: (begins[one], ends[one]) for one in partitions}


async def records_at(
    consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, ConsumerRecord]:
    """The first event at or after each offset; there must be one."""
    found: dict[TopicPartition, ConsumerRecord] = {}
    for partition, offset in offsets.items():
        consumer.seek(partition, offset)
    consumer.resume(*offsets)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while len(found) < len(offsets):
                for partition, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                    for record in records:
                        if partition not in found and _is_event(record):
                            found[partition] = record
                            consumer.pause(partition)
    except TimeoutError as error:
        silent = sorted(f"{one.topic}-{one.partition}" for one in offsets if one not in found)
        raise KafkaUnavailable(f"no event could be read from {', '.join(silent)}") from error
    finally:
        consumer.pause(*offsets)
    return found


async def offsets_after(consumer: AIOKafkaConsumer, after: int) -> Offsets:
    """Where to begin in each partition to get every event after position `after`."""
    edges = await bounds(consumer)
    if after == 0:
        return {one: begin for one, (begin, _) in edges.items()}
    brackets = {one: _Bracket(begin, end) for one, (begin, end) in edges.items()}
    while open_ones := {one: b.guess() for one, b in brackets.items() if b.is_wide}:
        for one, record in (await records_at(consumer, open_ones)).items():
            brackets[one].narrow(record.offset, position_of(record), after)
    return {one: bracket.low for one, bracket in brackets.items()}


class Tails:
    """The ends of all partitions, asked again and again; only what has moved is read."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._ends: Offsets = {}
        self._positions: dict[TopicPartition, int] = {}

    @staticmethod
    @asynccontextmanager
    async def opened(connection: KafkaConnection, topics: Sequence[str]) -> "AsyncIterator[Tails]":
        """On a consumer of its own. Raises `KafkaUnavailable`."""
        async with opened_consumer(connection, topics) as consumer:
            yield Tails(consumer)

    async def highest(self) -> int:
        """The highest position in the topics, 0 when there is none."""
        edges = await bounds(self._consumer)
        last = {one: end - 1 for one, (begin, end) in edges.items() if end > begin}
        moved = {one: offset for one, offset in last.items() if self._ends.get(one) != offset}
        for one, record in (await records_at(self._consumer, moved)).items():
            self._positions[one] = position_of(record)
        self._ends.update(moved)
        return max(self._positions.values(), default=0)


@dataclass(slots=True)
class _Bracket:
    """The end of what stands at or before a position lies from `low` to before `high`."""

    low: int
    high: int
    low_position: int = 0
    high_position: int | None = None
    _target: int = 0
    _guesses: int = 0

    @property
    def is_wide(self) -> bool:
        return self.high - self.low > NEAR

    def guess(self) -> int:
        """The offset to look at: the last one at first, where a reader that keeps up stopped."""
        self._guesses += 1
        if self.high_position is None:
            return self.high - 1
        if self._guesses % 2:
            return (self.low + self.high) // 2
        span = max(1, self.high_position - self.low_position)
        part = (self._target - self.low_position) * (self.high - self.low) // span
        return min(max(self.low + part, self.low + 1), self.high - 1)

    def narrow(self, offset: int, position: int, target: int) -> None:
        """Takes in what stands at the offset that was looked at."""
        self._target = target
        if position > target:
            self.high, self.high_position = min(offset, self.high - 1), position
        else:
            self.low, self.low_position = offset, position


def _is_event(record: ConsumerRecord) -> bool:
    try:
        position_of(record)
    except NotAnEvent:
        return False
    return True
