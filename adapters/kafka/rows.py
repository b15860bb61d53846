"""The log on Kafka as its bytes, for callers without an event loop: exports and replays."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from adapters.codec.events import EventCodec
from adapters.kafka.connection import KafkaConnection, KafkaUnavailable
from adapters.kafka.merged_log import KafkaStoredLog
from adapters.kafka.probing import bounds, opened_consumer, records_at
from adapters.kafka.records import NotAnEvent, position_of, row_of
from adapters.kafka.topics import Topics
from domain.ports.stored_rows import StoredRow

POLL_MS = 100
READ_AT_ONCE = 10_000
T = TypeVar("T")


class NoSuchPartition(LookupError):
    """There is no topic of this family, or it has fewer partitions."""


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """An event and its place in its partition."""

    offset: int
    row: StoredRow


class KafkaRows:
    """`StoredRows` on Kafka. Every method blocks, and raises `KafkaUnavailable`.

    Used by one caller at a time, and not where an event loop runs.
    """

    def __init__(self, connection: KafkaConnection, topics: Topics, codec: EventCodec) -> None:
        self._connection, self._topics = connection, topics
        self._runner = asyncio.Runner()
        self._log = KafkaStoredLog(connection, topics, codec)

    def close(self) -> None:
        """Lets go of the connections."""
        self._runner.run(self._log.close())
        self._runner.close()

    def rows(self, after: int, limit: int) -> list[StoredRow]:
        """Up to `limit` events after position `after`, in order."""
        records = self._runner.run(self._log.records(after, limit))
        try:
            return [row_of(record) for record in records]
        except NotAnEvent as error:
            raise KafkaUnavailable(f"after position {after}: {error}") from error

    def last(self) -> int:
        """The highest position that Kafka holds, 0 when there is none."""
        return self._runner.run(self._log.head())

    def before(self, unix_ms: int) -> int:
        """The last position before the first event that was recorded at or after this time."""

        async def first(consumer: AIOKafkaConsumer) -> int | None:
            times = dict.fromkeys(consumer.assignment(), unix_ms)
            found = await consumer.offsets_for_times(times)
            offsets = {place: at.offset for place, at in found.items() if at is not None}
            records = await records_at(consumer, offsets)
            return min((position_of(record) for record in records.values()), default=None)

        position = self._runner.run(self._with_consumer(self._topics.log, first))
        return self.last() if position is None else position - 1

    def partition(self, family: str, partition: int, offset: int) -> Iterator[PlacedRow]:
        """What one partition holds from an offset on, to its end as it is now.

        Raises `NoSuchPartition`.
        """
        place = TopicPartition(self._topics.name(family), partition)
        if place.topic not in self._topics.log:
            raise NoSuchPartition(f"no topic is for {family!r}")

        async def edges(consumer: AIOKafkaConsumer) -> tuple[int, int]:
            if place not in consumer.assignment():
                raise NoSuchPartition(f"{place.topic} has no partition {partition}")
            return (await bounds(consumer))[place]

        begin, end = self._runner.run(self._with_consumer((place.topic,), edges))
        offset = max(begin, offset)
        while offset < end:
            for record in self._runner.run(self._part(place, offset, end)):
                offset = record.offset + 1
                with suppress(NotAnEvent):
                    yield PlacedRow(record.offset, row_of(record))

    async def _part(self, place: TopicPartition, begin: int, end: int) -> list[ConsumerRecord]:
        """Some of the records from one offset to before another, at least the first."""

        async def read(consumer: AIOKafkaConsumer) -> list[ConsumerRecord]:
            consumer.seek(place, begin)
            consumer.resume(place)
            records: list[ConsumerRecord] = []
            while len(records) < min(READ_AT_ONCE, end - begin):
                found = await consumer.getmany(timeout_ms=POLL_MS, max_records=end - begin)
                records += found.get(place, [])
            return [record for record in records if record.offset < end]

        return await self._with_consumer((place.topic,), read)

    async def _with_consumer(
        self, topics: tuple[str, ...], work: Callable[[AIOKafkaConsumer], Awaitable[T]]
    ) -> T:
        async with opened_consumer(self._connection, topics) as consumer:
            return await work(consumer)
