"""The runner of Kafka: the same handler tables as on the embedded log, one group a consumer.

FastStream declares each group and polls for it (`adapters/kafka/subscription.py`); what it gives
is grouped by partition here. How far a partition is handled stands in the store, as the position
of an event, in the append that holds the effects: records at or before it are skipped, so that
nothing which comes twice changes anything. The offset that Kafka keeps is a hint where to go on.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from adapters.codec.events import EventCodec
from adapters.kafka.dead_letters import DeadLetterTopic
from adapters.kafka.records import NotAnEvent, decode, position_of
from adapters.kafka.subscription import SESSION_MS, Membership, Records, Subscription
from adapters.kafka.topics import Topics, families_of
from adapters.store.handling import Handling, Progress, load_progress
from domain.errors import StoreUnavailable
from domain.ports.clock import Clock
from domain.ports.consumer import Consumer
from domain.ports.event_store import DeadLetter, EventStore, LogEntry
from domain.ports.log import Log

RETRY_SECONDS = (0.05, 0.2, 1.0, 5.0)
# How long a rebalance, or a stop, waits for what is in hand, and then for its mark.
REVOKE_SECONDS = 10.0
SETTLE_SECONDS = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ConsumerPorts:
    """What the consumers of a process share; `source` is asked for dead letters alone."""

    broker: KafkaBroker
    topics: Topics
    codec: EventCodec
    dead_letters: DeadLetterTopic
    store: EventStore
    source: Log
    clock: Clock
    session_ms: int = SESSION_MS


@dataclass(slots=True, eq=False)
class _Held:
    """A partition while it is ours: where it stands, and whether it waits for another try."""

    progress: Progress | None = None
    next_offset: int | None = None
    is_sure: bool = False
    looked_back: bool = False
    failures: int = 0
    waiting: asyncio.TimerHandle | None = field(default=None, repr=False)


def membership_of(consumer: Consumer, topics: Topics, session_ms: int = SESSION_MS) -> Membership:
    """The consumer's group, on the topics where its events stand."""
    names = [route.event_type.event_name for route in consumer.routes]
    return Membership(
        group_id=f"{topics.prefix}.{consumer.group}",
        topics=topics.names(families_of(names)),
        title=consumer.group,
        description=f"Handles {', '.join(names)}.",
        session_ms=session_ms,
    )


class KafkaRunner:
    """Drives one consumer along the partitions that its group gives it, until stopped."""

    def __init__(self, consumer: Consumer, ports: ConsumerPorts) -> None:
        self._ports = ports
        self._handling = Handling(consumer, ports.store, ports.clock, lazy=True)
        membership = membership_of(consumer, ports.topics, ports.session_ms)
        self._subscription = Subscription(ports.broker, membership, self)
        self._held: dict[TopicPartition, _Held] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def group(self) -> str:
        return self._handling.group

    @property
    def partitions(self) -> frozenset[TopicPartition]:
        """Those that are ours."""
        return frozenset(self._held)

    @property
    def lag(self) -> int:
        """Records of our partitions that are not handled, as far as the brokers have told."""
        if not self._subscription.is_connected:
            return 0
        consumer = self._subscription.consumer
        return sum(
            max(0, (consumer.highwater(place) or 0) - held.next_offset)
            for place, held in self._held.items()
            if held.next_offset is not None and place in consumer.assignment()
        )

    async def run(self) -> None:
        """Follows its topics; returns after `stop` once the batch in hand is recorded."""
        await self._subscription.run()

    def stop(self) -> None:
        """Ends `run` after the batch in hand."""
        self._subscription.stop()

    async def redrive(self, letter: DeadLetter) -> None:
        """Handles a dead letter again and removes it in the same transaction.

        Raises `Conflict` when it still cannot be handled; the letter then stays.
        """
        await self._handling.redrive(letter, self._ports.source)

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        self._held = {place: _Held() for place in partitions}

    async def revoked(self) -> None:
        leaving, self._held = self._held, {}
        for held in leaving.values():
            if held.waiting is not None:
                held.waiting.cancel()
        try:
            async with asyncio.timeout(REVOKE_SECONDS):
                await self._idle.wait()
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._settle(leaving)
        except TimeoutError:
            log.warning("consumer.left_in_hand", group=self.group)

    async def receive(self, records: Records) -> None:
        self._idle.clear()
        try:
            held = {place: self._held[place] for place in records if place in self._held}
            await asyncio.gather(
                *(self._receive(place, one, records[place]) for place, one in held.items())
            )
            await self._commit(held)
        finally:
            self._idle.set()

    async def _receive(
        self, place: TopicPartition, held: _Held, records: Sequence[ConsumerRecord]
    ) -> None:
        held.next_offset = records[0].offset
        try:
            progress = held.progress or await self._load(place)
            held.progress = progress
            if held.is_sure or await self._is_where_we_left(place, held, progress, records[0]):
                await self._handle(records, progress)
                held.next_offset = records[-1].offset + 1
                held.failures = 0
        except StoreUnavailable as error:
            self._try_later(place, held, error)
        except Exception as error:
            log.exception("consumer.broke", group=self.group, partition=str(place))
            self._try_later(place, held, error)

    async def _load(self, place: TopicPartition) -> Progress:
        mark = f"{self.group}@{place.topic}-{place.partition}"
        return await load_progress(self._ports.store, mark)

    async def _is_where_we_left(
        self, place: TopicPartition, held: _Held, progress: Progress, first: ConsumerRecord
    ) -> bool:
        """Whether nothing before `first` is left: else seeks, and the next poll tells.

        The record before it must be one that the store says is handled. It is not where the
        store was restored from a backup; then the partition is read from its beginning.
        """
        if first.offset == 0 or _position(first) <= progress.position:
            held.is_sure = True
        elif self._is_ours(place, held) and held.looked_back:
            log.warning("consumer.offset_ahead_of_store", group=self.group, partition=str(place))
            await self._subscription.consumer.seek_to_beginning(place)
            held.is_sure = True
            return False
        elif self._is_ours(place, held):
            self._subscription.consumer.seek(place, first.offset - 1)
            held.looked_back = True
        return held.is_sure

    async def _handle(self, records: Sequence[ConsumerRecord], progress: Progress) -> None:
        """Handles what is new of a partition's records."""
        entries: list[LogEntry] = []
        last = progress.position
        for record in records:
            try:
                entry = decode(record, self._ports.codec)
            except NotAnEvent as error:
                log.error("kafka.not_an_event", group=self.group, error=str(error))  # noqa: TRY400
                await self._ports.dead_letters.publish(record, self.group, str(error))
                continue
            if entry.position > last:
                entries.append(entry)
                last = entry.position
        if entries:
            await self._handling.handle(entries, progress, partial(self._keep, records))

    async def _keep(self, records: Sequence[ConsumerRecord], entry: LogEntry, error: str) -> None:
        record = next(one for one in records if _position(one) == entry.position)
        await self._ports.dead_letters.publish(record, self.group, error)

    def _try_later(self, place: TopicPartition, held: _Held, error: Exception) -> None:
        """Pauses the partition, goes back to what was not handled, and resumes after a while."""
        delay = RETRY_SECONDS[min(held.failures, len(RETRY_SECONDS) - 1)]
        held.failures += 1
        held.progress = None  # part of the batch may be recorded
        if not self._is_ours(place, held) or held.next_offset is None:
            return
        log.warning(
            "consumer.waiting",
            group=self.group,
            partition=str(place),
            error=repr(error),
            delay=delay,
        )
        consumer = self._subscription.consumer
        consumer.pause(place)
        consumer.seek(place, held.next_offset)
        held.waiting = asyncio.get_running_loop().call_later(delay, self._resume, place, held)

    def _resume(self, place: TopicPartition, held: _Held) -> None:
        held.waiting = None
        if self._is_ours(place, held):
            self._subscription.consumer.resume(place)

    def _is_ours(self, place: TopicPartition, held: _Held) -> bool:
        return (
            self._held.get(place) is held
            and self._subscription.is_connected
            and place in self._subscription.consumer.assignment()
        )

    async def _settle(self, leaving: Mapping[TopicPartition, _Held]) -> None:
        """Marks and commits how far the partitions came that we give up."""
        with suppress(StoreUnavailable):
            for held in leaving.values():
                if held.progress is not None:
                    await self._handling.mark(held.progress)
        await self._commit(leaving)

    async def _commit(self, partitions: Mapping[TopicPartition, _Held]) -> None:
        """Tells Kafka how far the store says that the partitions are handled."""
        offsets = {
            place: held.next_offset
            for place, held in partitions.items()
            if held.progress is not None
            and held.next_offset
            and held.progress.marked == held.progress.position > 0
        }
        if not offsets:
            return
        try:
            await self._subscription.consumer.commit(offsets)
        except (KafkaError, RuntimeError) as error:
            log.warning("consumer.commit_failed", group=self.group, error=repr(error))


def _position(record: ConsumerRecord) -> int:
    """The place in the log; behind every other for what is no event."""
    try:
        return position_of(record)
    except NotAnEvent:
        return 2**63
