"""One session of an idempotent producer: each partition gets its events in order, or no more.

A partition's next batch is sent only when the one before it is acknowledged. So whatever ends a
session, a partition holds an unbroken run of what it was given, and the next session may begin
again anywhere at or before the last position that was acknowledged everywhere.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed

from adapters.kafka.admin import MAX_MESSAGE_BYTES
from adapters.kafka.connection import KafkaConnection, KafkaUnavailable
from adapters.kafka.probing import kafka_errors_translated
from adapters.kafka.records import record_of
from adapters.kafka.topics import partition_of
from domain.ports.stored_rows import StoredRow

BATCH_BYTES: Final = 256 * 2**10
REQUEST_TIMEOUT_MS: Final = 10_000
# Time without an acknowledgement after which it is told that Kafka does not answer.
PATIENCE_SECONDS: Final = 5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Encoded events: the batches of each partition, and the last position among them."""

    batches: dict[tuple[str, int], list[Any]]
    last: int


class Publisher:
    """Publishes to topics whose numbers of partitions are known; see `opened_publisher`."""

    def __init__(self, producer: AIOKafkaProducer, partitions: dict[str, int]) -> None:
        self._producer, self._partitions = producer, partitions

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

    async def publish(self, prepared: Prepared) -> None:
        """Returns once all of it is acknowledged. Raises `KafkaUnavailable`; end the session then.

        A Kafka that is away is waited for, as long as it takes.
        """
        sending = [
            asyncio.create_task(self._send(topic, partition, batches))
            for (topic, partition), batches in prepared.batches.items()
        ]
        waiting = set(sending)
        try:
            while waiting and not _failed(sending):
                _, waiting = await asyncio.wait(
                    waiting, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_EXCEPTION
                )
                if waiting and not _failed(sending):
                    log.warning("relay.unacknowledged", position=prepared.last)
        finally:
            for task in waiting:
                task.cancel()
        for error in _failed(sending):
            raise error

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
    try:
        async with kafka_errors_translated():
            await producer.start()
            partitions = {topic: len(await producer.partitions_for(topic)) for topic in topics}
        yield Publisher(producer, partitions)
    finally:
        await _abandon(producer)


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Closes a producer without waiting for what is not acknowledged.

    Its own `stop` would wait for ever while Kafka is away. What may still arrive is sent again by
    the next session, and whoever reads it skips the second.
    """
    await producer.client.close()
    await producer._sender.close()  # noqa: SLF001
    producer._message_accumulator.fail_all(ProducerClosed())  # noqa: SLF001
    try:
        await producer.stop()
    except KafkaError as error:
        raise KafkaUnavailable(f"the producer could not be closed: {error!r}") from error


def _failed(tasks: Sequence["asyncio.Task[None]"]) -> list[BaseException]:
    done = [task for task in tasks if task.done() and not task.cancelled()]
    return [error for task in done if (error := task.exception()) is not None]
