"""A log in memory that a relay can publish, and what tests look at on a real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer, TopicPartition

from adapters.codec.events import EventCodec
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.probing import bounds, opened_consumer
from adapters.kafka.records import record_of, row_of
from adapters.kafka.relay import Relay
from adapters.kafka.topics import Topics
from domain.errors import StoreUnavailable
from domain.event import Event, Recorded
from domain.event_types import ALL_EVENTS
from domain.ports.stored_rows import StoredRow
from tests.support.histories import STARTED_AT, recorded
from tests.support.stores import accepted, cancelled, job_id

CODEC = EventCodec(ALL_EVENTS)
PATIENCE_SECONDS = 30
Published = dict[TopicPartition, list[StoredRow]]


@dataclass
class MemoryLog:
    """`RelaySource` and `RelayProgress`; while `is_away` it cannot be reached."""

    stored: list[StoredRow] = field(default_factory=list)
    saved: int = 0
    is_away: bool = False
    asked_for: list[str] = field(default_factory=list)
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    def recorded(self, stream: str, event: Event) -> Recorded[Event]:
        """The event as the next one in the log."""
        position = len(self.stored) + 1
        version = 1 + sum(row.stream == stream for row in self.stored)
        at = STARTED_AT + position * 1_000
        return recorded(event, position=position, stream=stream, version=version, at=at)

    async def append(self, stream: str, event: Event) -> None:
        one = self.recorded(stream, event)
        state = CODEC.encode(one)
        await self.append_row(stream, CODEC.topics[type(event)], state, one.version)

    async def append_row(self, stream: str, topic: str, state: bytes, version: int = 1) -> None:
        self.stored.append(StoredRow(len(self.stored) + 1, stream, version, topic, state))
        async with self._moved:
            self._moved.notify_all()

    async def append_jobs(self, jobs: int, first: int = 0) -> None:
        """Two events for each of so many jobs."""
        for number in range(first, first + jobs):
            stream, position = job_id(number), len(self.stored) + 1
            for version, event in enumerate((accepted(number), cancelled(number)), 1):
                one = recorded(
                    event,
                    position=position,
                    stream=stream,
                    version=version,
                    at=STARTED_AT + position * 1_000,
                )
                state, topic = CODEC.encode(one), CODEC.topics[type(event)]
                self.stored.append(StoredRow(position, stream, version, topic, state))
                position += 1
        async with self._moved:
            self._moved.notify_all()

    async def rows(self, after: int, limit: int) -> Sequence[StoredRow]:
        self._answer()
        return self.stored[after : after + limit]

    async def wait(self, after: int) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: len(self.stored) > after)

    async def firsts(self, streams: Sequence[str]) -> Sequence[StoredRow]:
        self._answer()
        self.asked_for += streams
        return [row for row in self.stored if row.version == 1 and row.stream in streams]

    async def head(self) -> int:
        self._answer()
        return len(self.stored)

    async def load(self) -> int:
        self._answer()
        return self.saved

    async def save(self, position: int) -> None:
        self._answer()
        self.saved = max(self.saved, position)

    async def reset(self) -> None:
        self._answer()
        self.saved = 0

    def _answer(self) -> None:
        if self.is_away:
            raise StoreUnavailable("the store is away")


@asynccontextmanager
async def running_relay(
    connection: KafkaConnection, topics: Topics, log: MemoryLog
) -> AsyncIterator[Relay]:
    """A relay at work; cancelled at the end."""
    relay = Relay(connection, topics, log, log)
    running = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        running.cancel()
        await asyncio.wait({running})
        if not running.cancelled() and (error := running.exception()) is not None:
            raise error


async def publish_all(connection: KafkaConnection, topics: Topics, log: MemoryLog) -> None:
    """Relays the log as it stands, to its end."""
    async with running_relay(connection, topics, log):
        await until_saved(log)


async def until_saved(log: MemoryLog) -> None:
    """Waits until everything is published and the position noted."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while log.saved < len(log.stored):
            await asyncio.sleep(0.005)


async def published(connection: KafkaConnection, topics: Topics) -> Published:
    """Every record there is, by partition, in the order of the offsets."""
    rows: Published = {}
    async with opened_consumer(connection, topics.log) as consumer:
        edges = await bounds(consumer)
        left = sum(end - begin for begin, end in edges.values())
        for partition, (begin, _) in edges.items():
            consumer.seek(partition, begin)
        consumer.resume(*edges)
        while left > 0:
            for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                rows.setdefault(partition, []).extend(row_of(record) for record in records)
                left -= len(records)
    return rows


@asynccontextmanager
async def raw_producer(connection: KafkaConnection) -> AsyncIterator[AIOKafkaProducer]:
    """A producer to write records by hand."""
    producer = AIOKafkaProducer(acks="all", max_batch_size=256 * 1024, **connection.for_aiokafka())
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send_rows(
    producer: AIOKafkaProducer, topic: str, partition: int, rows: Sequence[StoredRow]
) -> None:
    """Writes rows to one partition, in this order, whatever partition they belong to."""
    sent = []
    for row in rows:
        record = record_of(row)
        sent.append(
            await producer.send(
                topic, record.value, record.key, partition, record.at, record.headers
            )
        )
    await asyncio.gather(*sent)
