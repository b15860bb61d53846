"""The deliverer: takes due deliveries out of the work queue and makes them, so many at a time."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import structlog

from domain.errors import StoreUnavailable
from domain.inference.events import Lane
from domain.ports.clock import Clock
from domain.ports.work_queue import IsOurs, WorkItem, WorkQueue
from workers.webhooks.agenda import Agenda, Item
from workers.webhooks.deliveries import Pending
from workers.webhooks.lanes import Lanes
from workers.webhooks.turns import Turns

# After how long an item is looked at again when the store was away, or when it could not be
# read or recorded.
AWAY_MS = 1_000
BROKEN_MS = 60_000
# That of every delivery (`domain/effects.py`).
LANE: Lane = "standard"

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """How many attempts run at once: in all, of one account, and of one account to one host."""

    concurrency: int = 64
    per_account: int = 16
    per_host: int = 8
    drain_seconds: float = 10.0


class Attempts(Protocol):
    """What makes single attempts: `workers.webhooks.deliveries.Deliveries`."""

    async def pending(self, delivery_id: str) -> Pending | None: ...

    async def attempt(self, pending: Pending) -> None: ...


class Deliverer:
    """Makes deliveries when they are due.

    Accounts take turns and none holds every place, so receivers that do not answer hold up
    nobody but the account that they belong to.
    """

    def __init__(
        self, deliveries: Attempts, queue: WorkQueue, clock: Clock, limits: DeliveryLimits
    ) -> None:
        self._deliveries, self._queue = deliveries, queue
        self._clock, self._limits = clock, limits
        self._agenda = Agenda()
        self._turns = Turns(limits.per_account)
        self._lanes = Lanes(limits.per_host)
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._accepting = True

    async def run(self) -> None:
        """Works until cancelled; `drain` ends it gently."""
        self._queue.subscribe("webhooks", self._arrived, self._withdraw)
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
        self._agenda.put(Item(item.item_id, item.account_id), item.due_at)
        self._wake.set()

    def _withdraw(self, is_ours: IsOurs) -> None:
        """Lets go of deliveries that are another process's now, unless they are being sent."""

        def is_gone(item: Item) -> bool:
            return not is_ours(item.delivery_id, LANE)

        self._agenda.withdraw(is_gone)
        for item in (*self._lanes.withdraw(is_gone), *self._turns.withdraw(is_gone)):
            self._put_down(item)
        self._wake.set()

    @property
    def _has_room(self) -> bool:
        return self._accepting and len(self._tasks) < self._limits.concurrency

    def _start_due(self) -> None:
        now = self._clock.now()
        while due := self._agenda.take(now):
            self._turns.add(due)
        while self._has_room and (item := self._turns.next()):
            task = asyncio.create_task(self._run(item))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()

    async def _sleep(self) -> None:
        """Until something arrives, a task ends, or the next delivery is due."""
        due_at = self._agenda.next_due()
        seconds = None if due_at is None else max(0, due_at - self._clock.now()) / 1000
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _run(self, item: Item) -> None:
        """One turn: makes the delivery, or lets it wait for a place at its host."""
        try:
            await self._deliver(item)
        finally:
            self._turns.finished(item)

    async def _deliver(self, item: Item) -> None:
        pending = await self._guarded(item, self._deliveries.pending(item.delivery_id))
        if pending is not None and self._agenda.holds(item):
            if pending.delivery.due_at > self._clock.now():
                # The news that it was due came late: it was attempted meanwhile.
                self._agenda.put(item, pending.delivery.due_at)
            elif not self._lanes.enter(item, urlsplit(pending.scheduled.url).hostname or ""):
                return
            else:
                await self._guarded(item, self._deliveries.attempt(pending))
        self._put_down(item)

    def _put_down(self, item: Item) -> None:
        self._agenda.put_down(item)
        successor = self._lanes.leave(item)
        if successor is not None:
            self._turns.add_first(successor)

    async def _guarded(self, item: Item, work: Awaitable[T]) -> T | None:
        """The outcome of `work`; when it breaks, the item is due again later."""
        try:
            return await work
        except StoreUnavailable as error:
            log.warning("webhook.postponed", delivery_id=item.delivery_id, error=str(error))
            self._look_again(item, AWAY_MS)
        except Exception:
            log.exception("webhook.recording_broke", delivery_id=item.delivery_id)
            self._look_again(item, BROKEN_MS)
        return None

    def _look_again(self, item: Item, ms: int) -> None:
        if self._agenda.holds(item):
            self._agenda.put(item, self._clock.now() + ms)
