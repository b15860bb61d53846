"""One session of an idempotent producer: each partition gets its events in order, or no more.

A partition's next batch is sent only when the one before it is acknowledged. So whatever ends a
session, a partition holds an unbroken run of what it was given, and the next session may begin
again anywhere at or before the last position that was acknowledged everywhere.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from adapters.kafka.admin import MAX_MESSAGE_BYTES
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.probing import ANSWER_SECONDS, kafka_errors_translated
from adapters.kafka.records import record_of
from adapters.kafka.topics import partition_of
from domain.ports.stored_rows import StoredRow

BATCH_BYTES: Final = 256 * 2**10
REQUEST_TIMEOUT_MS: Final = 10_000
# How long to wait for acknowledgements before it is told that they do not come.
PATIENCE_SECONDS: Final = 2
CLOSE_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class Prepared:
    """Encoded events: the batches of each partition, and the last position among them."""

    batches: dict[tuple[str, int], list[Any]]
    last: int


class Publisher:
    """Used by one caller at a time; see `opened_publisher`."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._partitions: dict[str, int] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def start(self, topics: Sequence[str]) -> None:
        """Connects, and learns into how many partitions each topic is cut."""
        async with kafka_errors_translated(), asyncio.timeout(ANSWER_SECONDS):
            await self._producer.start()
            for topic in topics:
                self._partitions[topic] = len(await self._producer.partitions_for(topic))

    def prepare(self, rows: Sequence[StoredRow], topics: Sequence[str]) -> Prepared:
        """Encodes rows, each for its topic; nothing is sent yet."""
        batches: dict[tuple[str, int], list[Any]] = {}
        for row, topic in zip(rows, topics, strict=True):
            record = record_of(row)
            given = {
                "timestamp": record.at,
                "key": record.key,
                "value": record.value,
                "headers": record.headers,
            }
            partition = partition_of(row.stream, self._partitions[topic])
            built = batches.setdefault((topic, partition), [])
            if not built or built[-1].append(**given) is None:  # that one is full
                built.append(self._producer.create_batch())
                built[-1].append(**given)
        return Prepared(batches, rows[-1].position)

    async def publish(self, prepared: Prepared, when_slow: Callable[[], None]) -> None:
        """Returns once all of it is acknowledged. Raises `KafkaUnavailable`; end the session then.

        A Kafka that is away is waited for, as long as it takes; `when_slow` is called meanwhile.
        """
        self._sending = {
            asyncio.create_task(self._send(topic, partition, batches))
            for (topic, partition), batches in prepared.batches.items()
        }
        waiting = self._sending
        while waiting:
            done, waiting = await asyncio.wait(
                waiting, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_EXCEPTION
            )
            for sent in done:
                sent.result()
            if waiting:
                when_slow()

    async def close(self) -> None:
        """Ends the session; what is on its way may still arrive."""
        for sending in self._sending:
            sending.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await _abandon(self._producer)

    async def _send(self, topic: str, partition: int, batches: Sequence[Any]) -> None:
        async with kafka_errors_translated():
            for batch in batches:
                await (await self._producer.send_batch(batch, topic, partition=partition))


@asynccontextmanager
async def opened_publisher(
    connection: KafkaConnection, topics: Sequence[str]
) -> AsyncIterator[Publisher]:
    """A session with a producer of its own. Raises `KafkaUnavailable`."""
    producer = AIOKafkaProducer(
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        max_request_size=MAX_MESSAGE_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        **connection.for_aiokafka(),
    )
    publisher = Publisher(producer)
    try:
        await publisher.start(topics)
        yield publisher
    finally:
        await publisher.close()


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Closes a producer without waiting for what is not acknowledged.

    Its own `stop` does the same, but waits first, for ever while Kafka is away. What may still
    arrive is sent again by the next session, and whoever reads it skips the second.
    """
    producer._closed = True  # noqa: SLF001
    closing = asyncio.create_task(producer._sender.close())  # noqa: SLF001
    if (await asyncio.wait({closing}, timeout=CLOSE_SECONDS))[1]:
        closing.cancel()  # a request is on its way to a broker that does not answer
        await asyncio.wait({closing})
    await producer.client.close()
