"""The topic of dead letters: copies of the records that a consumer could not handle for good.

The letter in the event store is the one that is redriven; the copy here is for those who watch
Kafka alone. So a copy that Kafka refuses is given up, and one that finds Kafka away is waited for.
"""

import asyncio

import structlog
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from adapters.kafka.connection import KafkaConnection
from adapters.kafka.topics import Topics
from domain.errors import StoreUnavailable

REQUEST_MS = 10_000
MAX_ERROR_BYTES = 1_000

log = structlog.get_logger(__name__)


class DeadLetterTopic:
    """Publishes copies; connects with the first."""

    def __init__(self, connection: KafkaConnection, topics: Topics) -> None:
        self._connection, self._topic = connection, topics.dead_letters
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()

    async def close(self) -> None:
        """Ends the connection, if there is one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def publish(self, record: ConsumerRecord, group: str, error: str) -> None:
        """Publishes the record as it came, with what happened to it in headers.

        Raises `StoreUnavailable` while Kafka is away.
        """
        headers = [
            *record.headers,
            ("gatewayz_group", group.encode()),
            ("gatewayz_error", error.encode()[:MAX_ERROR_BYTES]),
            ("gatewayz_topic", record.topic.encode()),
            ("gatewayz_partition", b"%d" % record.partition),
            ("gatewayz_offset", b"%d" % record.offset),
        ]
        try:
            producer = await self._connected()
            await producer.send_and_wait(
                self._topic, key=record.key, value=record.value, headers=headers
            )
        except (KafkaConnectionError, KafkaTimeoutError, OSError) as away:
            raise StoreUnavailable(f"the dead letter cannot be published: {away!r}") from away
        except KafkaError as refused:
            log.exception(
                "kafka.dead_letter_refused", group=group, topic=record.topic, error=repr(refused)
            )

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self._connection.for_aiokafka(),
                    client_id="gatewayz",
                    enable_idempotence=True,
                    acks="all",
                    request_timeout_ms=REQUEST_MS,
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
        return self._producer
