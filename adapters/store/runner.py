"""The runner of the embedded log: decode → skip if seen → handle → record → go on."""

import asyncio
from contextlib import suppress

import structlog

from adapters.store.handling import BATCH, Handling, Progress, load_progress
from domain.errors import StoreUnavailable
from domain.ports.clock import Clock
from domain.ports.consumer import Consumer
from domain.ports.event_store import DeadLetter, EventStore
from domain.ports.log import Log

RETRY_SECONDS = (0.05, 0.2, 1.0, 5.0)
# What brought nothing about is marked within so long. What is not marked is handled again after a
# crash, when it may bring something about: an endpoint that was off by then is on again.
MARK_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Runner:
    """Drives one consumer along the log until stopped."""

    def __init__(self, consumer: Consumer, source: Log, store: EventStore, clock: Clock) -> None:
        self._handling = Handling(consumer, store, clock)
        self._source = source
        self._store = store
        self._clock = clock
        # When all that was handled was last found to be marked (monotonic).
        self._marked_at = clock.monotonic()
        self._progress = Progress(consumer.group)
        self._stopping = asyncio.Event()
        self._waiting: asyncio.Future[None] | None = None

    @property
    def position(self) -> int:
        """Everything up to here is handled."""
        return self._progress.position

    @property
    def group(self) -> str:
        return self._handling.group

    async def run(self) -> None:
        """Follows the log; returns after `stop` once all that was handled is marked."""
        failures, resumed = 0, False
        while not self._stopping.is_set():
            try:
                if not resumed:
                    self._progress = await load_progress(self._store, self.group)
                    resumed = True
                await self._step()
                failures = 0
            except StoreUnavailable as error:
                delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                log.warning("consumer.waiting", group=self.group, error=str(error), delay=delay)
                failures += 1
                await self._pause(delay)
        with suppress(StoreUnavailable):
            await self._handling.mark(self._progress)

    def stop(self) -> None:
        """Ends `run` after the batch in hand."""
        self._stopping.set()
        if self._waiting is not None:
            self._waiting.cancel()

    async def redrive(self, letter: DeadLetter) -> None:
        """Handles a dead letter again and removes it in the same transaction.

        Raises `Conflict` when it still cannot be handled; the letter then stays.
        """
        await self._handling.redrive(letter, self._source)

    async def _step(self) -> None:
        entries = await self._source.read(self.position, BATCH)
        if entries:
            await self._handling.handle(entries, self._progress)
        else:
            await self._wait()
        await self._mark_in_time()

    async def _mark_in_time(self) -> None:
        now = self._clock.monotonic()
        if not self._is_marked:
            if now - self._marked_at < MARK_SECONDS:
                return
            await self._handling.mark(self._progress)
        self._marked_at = now

    @property
    def _is_marked(self) -> bool:
        return self._progress.position <= self._progress.marked

    async def _wait(self) -> None:
        if self._stopping.is_set():
            return
        self._waiting = asyncio.ensure_future(self._source.wait(self.position))
        try:
            await asyncio.wait((self._waiting,), timeout=None if self._is_marked else MARK_SECONDS)
        finally:
            self._waiting.cancel()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
