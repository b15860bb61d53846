"""The work queue of the cluster: a consumer group shares the items out among its members.

A record is only a hint to look at an item; the row in the store is the truth. The partition that
an item's events stand in says whose it is. Whoever gets partitions reads what waits in them from
the store, so that nothing depends on the offset that a member starts at, and none is committed.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from adapters.codec.events import EventCodec
from adapters.kafka.records import NotAnEvent, decode
from adapters.kafka.subscription import Membership, Records, Subscription
from adapters.kafka.topics import LANE_FAMILIES, Topics, partition_of
from domain.effects import Enqueue, Queue, Requeue, effects_of
from domain.errors import StoreUnavailable
from domain.event import Recorded
from domain.inference.events import Lane
from domain.ports.work_queue import Receive, Withdraw, WorkItem, WorkRows

# How often rows are looked through for items that no record told of, and so many at a time.
SWEEP_SECONDS = 20.0
PAGE = 1_000
# How often that is done while partitions are shared out anew. No record is told of then, which
# takes as long as Kafka waits for a member that has died.
UNSETTLED_SECONDS = 1.0
RETRY_SECONDS = (0.2, 1.0, 5.0)
# How long a new member waits for the place in the topics from which it will be told.
POSITION_SECONDS = 5.0
# A lease that lapsed so long ago is seen to by whoever finds it: its partition is nobody's.
NOBODYS_MS = 30_000
# How long whoever gets partitions leaves alone what waits in them, for the one before may have it
# in hand: a delivery takes about so long. What is under a lease is safe as it is.
HANDOVER_SECONDS: dict[Queue, float] = {"dispatch": 0.0, "webhooks": 2.0}
GROUPS: dict[Queue, str] = {"dispatch": "dispatch", "webhooks": "webhooks-delivery"}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class QueuePorts:
    """What the queues of a process share."""

    broker: KafkaBroker
    topics: Topics
    codec: EventCodec
    rows: WorkRows


def membership_of(queue: Queue, topics: Topics) -> Membership:
    """The group that shares the items of a queue, on the topics where their events stand."""
    families = LANE_FAMILIES.values() if queue == "dispatch" else ("webhooks",)
    return Membership(
        group_id=f"{topics.prefix}.{GROUPS[queue]}",
        topics=topics.names(families),
        title=GROUPS[queue],
        description=f"Takes in the items of the {queue} queue.",
        offset_reset="latest",
        poll_ms=3,
    )


class KafkaWorkQueue:
    """`WorkQueue` for one queue: gives its subscribers the items that are this member's."""

    def __init__(
        self, queue: Queue, ports: QueuePorts, *, sweep_seconds: float = SWEEP_SECONDS
    ) -> None:
        self._queue: Queue = queue
        self._ports = ports
        self._sweep_seconds = sweep_seconds
        membership = membership_of(queue, ports.topics)
        self._subscription = Subscription(ports.broker, membership, self)
        self._topics = membership.topics
        self._ours: frozenset[TopicPartition] = frozenset()
        self._counts: dict[str, int] = {}
        self._receivers: list[Receive] = []
        self._withdrawals: list[Withdraw] = []
        # Something of ours may wait in the store that no record will tell of.
        self._unread = asyncio.Event()
        self._is_handed_over = True
        # Set while partitions are shared out anew.
        self._unsettled = asyncio.Event()
        self._swept_to = 0

    @property
    def partitions(self) -> frozenset[TopicPartition]:
        """Those whose items are ours."""
        return self._ours

    async def run(self) -> None:
        """Takes items in; returns after `stop`."""
        async with asyncio.TaskGroup() as parts:
            reading = parts.create_task(self._keep_reading())
            sweeping = parts.create_task(self._sweep_while_unsettled())
            await self._subscription.run()
            reading.cancel()
            sweeping.cancel()

    def stop(self) -> None:
        """Ends `run`; what was given stays with the subscribers."""
        self._subscription.stop()

    async def backlog(self, queue: Queue) -> Sequence[WorkItem]:
        if not self._ours:  # what comes with partitions is read page by page
            return ()
        return [item for item in await self._ports.rows.backlog(queue) if self._is_mine(item)]

    async def lapsed(self, queue: Queue, now: int) -> Sequence[WorkItem]:
        return [
            item
            for item in await self._ports.rows.lapsed(queue, now)
            if self._is_mine(item) or (item.leased_until or now) < now - NOBODYS_MS
        ]

    def subscribe(self, queue: Queue, receive: Receive, withdraw: Withdraw | None = None) -> None:
        if queue != self._queue:
            raise ValueError(f"this is the {self._queue} queue, not {queue}")
        self._receivers.append(receive)
        if withdraw is not None:
            self._withdrawals.append(withdraw)
        self._unread.set()

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        consumer = self._subscription.consumer
        self._counts = {
            name: len(consumer.partitions_for_topic(name) or ()) for name in self._topics
        }
        self._ours = partitions
        self._unsettled.clear()
        for withdraw in self._withdrawals:
            withdraw(self.is_ours)
        self._is_handed_over = False
        self._unread.set()

    async def revoked(self) -> None:
        """What waits is worked on here until the partitions are known to be another's."""
        self._unsettled.set()

    async def receive(self, records: Records) -> None:
        item_ids = {
            item_id
            for place, batch in records.items()
            if place in self._ours
            for record in batch
            for item_id in self._named_by(record)
        }
        if not item_ids:
            return
        try:
            rows = await self._ports.rows.items(self._queue, list(item_ids))
        except StoreUnavailable as error:
            log.warning("work.hints_dropped", queue=self._queue, error=str(error))
            self._unread.set()
            return
        self._give(rows)

    def is_ours(self, item_id: str, lane: Lane) -> bool:
        """Whether an item of this queue is this member's."""
        family = LANE_FAMILIES[lane] if self._queue == "dispatch" else "webhooks"
        topic = self._ports.topics.name(family)
        count = self._counts.get(topic)
        return bool(count) and TopicPartition(topic, partition_of(item_id, count)) in self._ours

    def _is_mine(self, item: WorkItem) -> bool:
        return self.is_ours(item.item_id, item.lane)

    def _named_by(self, record: ConsumerRecord) -> Iterator[str]:
        """The items that a record's event puts into the queue, or back into it."""
        try:
            entry = decode(record, self._ports.codec)
        except NotAnEvent as error:
            log.warning("kafka.not_an_event", topic=record.topic, error=str(error))
            return
        if isinstance(entry, Recorded):
            for effect in effects_of(entry):
                if isinstance(effect, Enqueue | Requeue) and effect.queue == self._queue:
                    yield effect.item_id

    def _give(self, items: Sequence[WorkItem]) -> None:
        """Gives subscribers what is theirs to take. They bear to get an item twice."""
        for item in items:
            if item.lease_id is None and self._is_mine(item):
                for receive in self._receivers:
                    receive(item)

    async def _keep_reading(self) -> None:
        """Reads everything that waits when that is called for, else a page now and then."""
        failures = 0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._sweep_seconds):
                    await self._unread.wait()
            try:
                if self._unread.is_set():
                    await self._let_the_one_before_finish()
                    self._unread.clear()
                    await self._read_all()
                else:
                    await self._sweep()
                failures = 0
            except StoreUnavailable as error:
                delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                failures += 1
                log.warning("work.waiting", queue=self._queue, error=str(error), delay=delay)
                self._unread.set()
                await asyncio.sleep(delay)

    async def _sweep_while_unsettled(self) -> None:
        while True:
            await self._unsettled.wait()
            await asyncio.sleep(UNSETTLED_SECONDS)
            with suppress(StoreUnavailable):
                if self._unsettled.is_set():
                    await self._sweep()

    async def _let_the_one_before_finish(self) -> None:
        while not self._is_handed_over:
            self._is_handed_over = True
            await asyncio.sleep(HANDOVER_SECONDS[self._queue])

    async def _read_all(self) -> None:
        if not self._ours:
            return
        await self._be_told_from_now_on()
        after = 0
        while page := await self._ports.rows.waiting(self._queue, after, PAGE):
            self._give(page)
            after = page[-1].position

    async def _be_told_from_now_on(self) -> None:
        """Returns once what is published from here on comes as a record."""
        with suppress(TimeoutError, KafkaError, RuntimeError):
            async with asyncio.timeout(POSITION_SECONDS):
                for place in self._ours:
                    await self._subscription.consumer.position(place)

    async def _sweep(self) -> None:
        """Looks through the next page of what waits, for a hint may be lost."""
        page = await self._ports.rows.waiting(self._queue, self._swept_to, PAGE)
        self._give(page)
        self._swept_to = page[-1].position if len(page) == PAGE else 0
