"""One member of a consumer group: FastStream declares it and polls, we decide the rest.

A batch subscriber of FastStream 0.7 gives, by its public extension points alone, what its own
acknowledgement does not: a custom parser and decoder hand over records as they came (its own
ones break on a header that is no UTF-8), manual acknowledgement leaves commits to us
(`message.ack()` would commit every assigned partition, `nack()` would seek back for ever), the
rebalance listener is ours, and the subscriber's `consumer` can be paused, sought and committed
partition by partition. What a receiver raises is logged here, for FastStream's loop swallows it.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber

from adapters.kafka.connection import KafkaConnection

SESSION_MS = 15_000
HEARTBEAT_MS = 2_000
# How long a rebalance waits for a member to put down what it has in hand.
REBALANCE_MS = 30_000
MAX_RECORDS = 500
RETRY_SECONDS = (0.2, 1.0, 5.0)
STOP_SECONDS = 10.0

Records = Mapping[TopicPartition, Sequence[ConsumerRecord]]
log = structlog.get_logger(__name__)


class Receiver(Protocol):
    """Whose records they are. Only one `receive` runs at a time."""

    async def receive(self, records: Records) -> None:
        """Takes what was polled; what it raises is logged, and the next poll follows."""
        ...

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """These are ours from now on, and no others."""
        ...

    async def revoked(self) -> None:
        """None is ours any more; returns when what is in hand was put down, or soon."""
        ...


@dataclass(frozen=True, slots=True)
class Membership:
    """Which group reads which topics, and for what; `poll_ms` is how long an idle poll waits.

    A member that is not heard of for `session_ms` is taken for dead.
    """

    group_id: str
    topics: tuple[str, ...]
    title: str
    description: str
    offset_reset: Literal["earliest", "latest"] = "earliest"
    poll_ms: int = 10
    session_ms: int = SESSION_MS


def make_broker(connection: KafkaConnection) -> KafkaBroker:
    """A broker for consumers alone: it makes no topics and has no producer."""
    return KafkaBroker(
        **connection.for_faststream(),
        client_id="gatewayz",
        consumer_only=True,
        allow_auto_create_topics=False,
        apply_types=False,
        graceful_timeout=STOP_SECONDS,
        logger=_FrameworkLog(),
    )


class _FrameworkLog:
    """What FastStream has to say; what is no error is said by us or by aiokafka already."""

    def log(self, level: int, message: Any, /, *, exc_info: Any = None, extra: Any = None) -> None:
        if level >= logging.ERROR:
            log.error("kafka.framework", message=str(message), exc_info=exc_info, extra=extra)


def declared(broker: KafkaBroker, membership: Membership, receiver: Receiver) -> BatchSubscriber:
    """The member as FastStream knows it."""
    return broker.subscriber(
        *membership.topics,
        batch=True,
        ack_policy=AckPolicy.MANUAL,
        group_id=membership.group_id,
        auto_offset_reset=membership.offset_reset,
        max_records=MAX_RECORDS,
        batch_timeout_ms=membership.poll_ms,
        session_timeout_ms=membership.session_ms,
        heartbeat_interval_ms=HEARTBEAT_MS,
        rebalance_timeout_ms=REBALANCE_MS,
        # Every member gets its share of each topic: a sticky one may leave all of the busy
        # topic with one member.
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
        listener=_Listener(receiver),
        parser=_as_they_came,
        decoder=_records_of,
        no_reply=True,
        title=membership.title,
        description=membership.description,
    )


class Subscription:
    """Polls for a receiver until stopped; while Kafka is away it tries again."""

    def __init__(self, broker: KafkaBroker, membership: Membership, receiver: Receiver) -> None:
        self._broker, self._membership, self._receiver = broker, membership, receiver
        self._stopping = asyncio.Event()
        self._subscriber = declared(broker, membership, receiver)
        self._subscriber(self._received)

    @property
    def consumer(self) -> AIOKafkaConsumer:
        """The running consumer. Raises `RuntimeError` when there is none."""
        consumer = self._subscriber.consumer
        if consumer is None:
            raise RuntimeError(f"group {self._membership.group_id} is not connected")
        return consumer

    @property
    def is_connected(self) -> bool:
        return self._subscriber.consumer is not None

    async def run(self) -> None:
        """Polls; returns after `stop` once what is in hand was put down."""
        try:
            await self._start()
            await self._stopping.wait()
            await self._receiver.revoked()
        finally:
            await self._subscriber.stop()

    def stop(self) -> None:
        """Ends `run`."""
        self._stopping.set()

    async def _start(self) -> None:
        await self._broker.connect()
        failures = 0
        while not self._stopping.is_set():
            try:
                await self._subscriber.start()
            except (KafkaError, OSError) as error:
                await self._subscriber.stop()
                delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                failures += 1
                log.warning(
                    "kafka.away", group=self._membership.group_id, error=repr(error), delay=delay
                )
                with suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await self._stopping.wait()
            else:
                return

    async def _received(self, records: tuple[ConsumerRecord, ...]) -> None:
        by_partition: dict[TopicPartition, list[ConsumerRecord]] = {}
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            by_partition.setdefault(place, []).append(record)
        try:
            await self._receiver.receive(by_partition)
        except Exception:
            log.exception("kafka.receiver_broke", group=self._membership.group_id)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002 - all
        await self._receiver.revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        await self._receiver.assigned(frozenset(assigned))


async def _as_they_came(records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
    """A message around the records; nothing of them is read."""
    return KafkaMessage(body=b"", raw_message=records, consumer=FAKE_CONSUMER)


async def _records_of(message: KafkaMessage) -> Any:
    return message.raw_message
