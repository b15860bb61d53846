"""The deliverer: takes due deliveries out of the work queue and makes them, so many at a time."""

import asyncio
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import structlog

from domain.errors import StoreUnavailable
from domain.ports.clock import Clock
from domain.ports.work_queue import WorkItem, WorkQueue
from workers.webhooks.agenda import Agenda
from workers.webhooks.deliveries import Pending

# After how long an item is looked at again when the store was away, or when its attempt broke.
AWAY_MS = 1_000
BROKEN_MS = 60_000

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """How many attempts run at once, in all and to one host."""

    concurrency: int = 64
    per_host: int = 8
    drain_seconds: float = 10.0


class Attempts(Protocol):
    """What makes single attempts: `workers.webhooks.deliveries.Deliveries`."""

    async def pending(self, delivery_id: str) -> Pending | None: ...

    async def attempt(self, pending: Pending) -> None: ...


@dataclass(slots=True)
class _Lane:
    """One host: how many tasks send to it, and which deliveries wait for one of them."""

    senders: int = 0
    waiting: deque[str] = field(default_factory=deque)


class Deliverer:
    """Makes deliveries when they are due. A slow host holds up nobody but itself."""

    def __init__(
        self, deliveries: Attempts, queue: WorkQueue, clock: Clock, limits: DeliveryLimits
    ) -> None:
        self._deliveries, self._queue = deliveries, queue
        self._clock, self._limits = clock, limits
        self._agenda = Agenda()
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._accepting = True

    async def run(self) -> None:
        """Works until cancelled; `drain` ends it gently."""
        self._queue.subscribe("webhooks", self._arrived)
        for item in await self._queue.backlog("webhooks"):
            self._arrived(item)
        while True:
            self._wake.clear()
            self._start_due()
            await self._sleep()

    async def drain(self) -> None:
        """Starts nothing more and waits for what is being sent, at most `drain_seconds`.

        What is cut off then is sent again after the next start, under the same message id.
        """
        self._accepting = False
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._limits.drain_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _arrived(self, item: WorkItem) -> None:
        self._agenda.put(item.item_id, item.due_at)
        self._wake.set()

    @property
    def _has_room(self) -> bool:
        return self._accepting and len(self._tasks) < self._limits.concurrency

    def _start_due(self) -> None:
        while self._has_room and (item_id := self._agenda.take(self._clock.now())):
            task = asyncio.create_task(self._run(item_id))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()

    async def _sleep(self) -> None:
        """Until something arrives, a task ends, or the next delivery is due."""
        due_at = self._agenda.next_due() if self._has_room else None
        seconds = None if due_at is None else max(0, due_at - self._clock.now()) / 1000
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    async def _run(self, item_id: str) -> None:
        """Makes one delivery, and then those that wait for the same host."""
        pending = await self._find(item_id)
        if pending is None:
            self._agenda.put_down(item_id)
            return
        host = urlsplit(pending.scheduled.url).netloc
        lane = self._lanes.setdefault(host, _Lane())
        if lane.senders >= self._limits.per_host:
            lane.waiting.append(item_id)
            return
        lane.senders += 1
        await self._send(pending)
        while self._accepting and lane.waiting:
            waiting = await self._find(item_id := lane.waiting.popleft())
            if waiting is None:
                self._agenda.put_down(item_id)
            else:
                await self._send(waiting)
        lane.senders -= 1
        if not lane.senders:
            del self._lanes[host]

    async def _find(self, item_id: str) -> Pending | None:
        return await self._guarded(item_id, self._deliveries.pending(item_id))

    async def _send(self, pending: Pending) -> None:
        item_id = pending.scheduled.delivery_id
        await self._guarded(item_id, self._deliveries.attempt(pending))
        self._agenda.put_down(item_id)

    async def _guarded(self, item_id: str, work: Awaitable[T]) -> T | None:
        """The outcome of `work`; when it breaks, the item is due again later."""
        try:
            return await work
        except StoreUnavailable as error:
            log.warning("webhook.postponed", delivery_id=item_id, error=str(error))
            self._agenda.put(item_id, self._clock.now() + AWAY_MS)
        except Exception:
            log.exception("webhook.attempt_broke", delivery_id=item_id)
            self._agenda.put(item_id, self._clock.now() + BROKEN_MS)
        return None
