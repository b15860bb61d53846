"""Kafka beside a store: what stands in the store is published, and consumers handle it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from adapters.codec.events import EventCodec
from adapters.codec.events import topic_of as stored_topic
from adapters.kafka.admin import TopicLayout, ensure_topics
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.consumers import ConsumerPorts, KafkaRunner
from adapters.kafka.dead_letters import DeadLetterTopic
from adapters.kafka.records import record_of
from adapters.kafka.subscription import make_broker
from adapters.kafka.topics import Topics, has_lane, topic_of
from adapters.kafka.work_queue import KafkaWorkQueue, QueuePorts
from adapters.postgres.event_store import PostgresEventStore
from adapters.system.clock import SystemClock
from domain.effects import Queue
from domain.event import Recorded
from domain.event_types import ALL_EVENTS
from domain.inference.events import JobAccepted, Lane
from domain.ports.consumer import Consumer
from domain.ports.event_store import EventStore, LogEntry, StreamWrite, Unreadable
from domain.ports.stored_rows import StoredRow
from domain.ports.work_queue import WorkRows
from tests.support.store_places import opened_postgres_store
from tests.support.stores import accepted, appending, job_id

CODEC = EventCodec(ALL_EVENTS)
Running = KafkaRunner | KafkaWorkQueue


@dataclass
class KafkaGroup:
    """A store, its topics, and a producer that publishes as the relay does."""

    connection: KafkaConnection
    topics: Topics
    store: PostgresEventStore
    producer: AIOKafkaProducer
    partitions: int

    def __post_init__(self) -> None:
        self.published = 0
        self._dead_letters: list[DeadLetterTopic] = []
        self._lanes: dict[str, Lane] = {}

    async def accept(self, numbers: Iterable[int]) -> None:
        """Accepts jobs, and publishes what that recorded."""
        await asyncio.gather(
            *(
                self.store.append(appending(StreamWrite(job_id(n), 0, (accepted(n),))))
                for n in numbers
            )
        )
        await self.publish()

    async def publish(self) -> None:
        """Publishes what is new in the store, in position order."""
        while entries := await self.store.read_log(self.published, 1_000):
            await self.send(entries)
            self.published = entries[-1].position

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[None]:
        """Publishes whatever is recorded, as the relay does."""
        relaying = asyncio.create_task(self._relay())
        try:
            yield
        finally:
            await _ended(relaying)

    async def _relay(self) -> None:
        while True:
            await self.store.log.wait(self.published)
            await self.publish()

    async def send(self, entries: Sequence[LogEntry]) -> None:
        """Publishes these entries, be it again."""
        acks = [await self._send(entry) for entry in entries]
        await asyncio.gather(*acks)

    async def _send(self, entry: LogEntry) -> Awaitable[object]:
        name = _row_of(entry).topic.partition("@")[0]
        if isinstance(entry, Recorded) and isinstance(entry.event, JobAccepted):
            self._lanes[entry.stream] = entry.event.lane
        lane = self._lanes.get(entry.stream, "standard") if has_lane(name) else None
        return await self.send_to(topic_of(name, lane), entry)

    async def send_to(self, family: str, entry: LogEntry) -> Awaitable[object]:
        """Publishes an entry to the topic of this family; what it returns ends with the ack."""
        record = record_of(_row_of(entry))
        sent: Awaitable[object] = await self.producer.send(
            self.topics.name(family),
            key=record.key,
            value=record.value,
            headers=record.headers,
        )
        return sent

    def runner(self, consumer: Consumer, store: EventStore | None = None) -> KafkaRunner:
        """A member of the consumer's group, with connections of its own."""
        dead_letters = DeadLetterTopic(self.connection, self.topics)
        self._dead_letters.append(dead_letters)
        ports = ConsumerPorts(
            make_broker(self.connection),
            self.topics,
            CODEC,
            dead_letters,
            store or self.store,
            self.store.log,
            SystemClock(),
            session_ms=6_000,  # as short as a broker allows
        )
        return KafkaRunner(consumer, ports)

    def queue(
        self, queue: Queue = "dispatch", rows: WorkRows | None = None, sweep_seconds: float = 60
    ) -> KafkaWorkQueue:
        """A member of the queue's group, with connections of its own."""
        ports = QueuePorts(make_broker(self.connection), self.topics, CODEC, rows or self.store)
        return KafkaWorkQueue(queue, ports, sweep_seconds=sweep_seconds)

    async def records(self, topic: str) -> list[ConsumerRecord]:
        """Everything that stands in a topic now."""
        places = [TopicPartition(topic, number) for number in range(self.partitions)]
        consumer = AIOKafkaConsumer(**self.connection.for_aiokafka())
        await consumer.start()
        try:
            consumer.assign(places)
            await consumer.seek_to_beginning()
            total = sum((await consumer.end_offsets(places)).values())
            found: list[ConsumerRecord] = []
            while len(found) < total:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += batch
            return found
        finally:
            await consumer.stop()

    async def close(self) -> None:
        """Ends the connections that runners opened."""
        for dead_letters in self._dead_letters:
            await dead_letters.close()


def _row_of(entry: LogEntry) -> StoredRow:
    if isinstance(entry, Unreadable):
        return StoredRow(entry.position, entry.stream, 1, f"{entry.event_name}@9", entry.state)
    topic = stored_topic(type(entry.event))
    return StoredRow(entry.position, entry.stream, entry.version, topic, CODEC.encode(entry))


@asynccontextmanager
async def kafka_group(
    bootstrap_servers: str, prefix: str, database_url: str, partitions: int = 4
) -> AsyncIterator[KafkaGroup]:
    """Topics with so many partitions, and a store on this database."""
    connection, topics = KafkaConnection(bootstrap_servers), Topics(prefix)
    await asyncio.to_thread(ensure_topics, connection, topics, TopicLayout(partitions, 1))
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_postgres_store(database_url))
        following = asyncio.create_task(store.log.run())
        stack.push_async_callback(_ended, following)
        producer = AIOKafkaProducer(**connection.for_aiokafka(), enable_idempotence=True)
        await producer.start()
        stack.push_async_callback(producer.stop)
        made = KafkaGroup(connection, topics, store, producer, partitions)
        stack.push_async_callback(made.close)
        yield made


@asynccontextmanager
async def running(*members: Running) -> AsyncIterator[None]:
    """Runs members, and stops them gently."""
    tasks = [asyncio.create_task(member.run()) for member in members]
    try:
        yield
    finally:
        for member in members:
            member.stop()
        await asyncio.wait_for(asyncio.gather(*tasks), 40)


async def until(holds: Callable[[], bool | Awaitable[bool]], seconds: float = 30) -> None:
    """Returns once something holds."""
    async with asyncio.timeout(seconds):
        while True:
            answer = holds()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.02)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
