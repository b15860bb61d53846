"""The runner of the embedded log: decode → skip if seen → handle → record → go on."""

import asyncio

import structlog

from adapters.store.handling import BATCH, Handling, Progress, load_progress
from domain.errors import StoreUnavailable
from domain.ports.clock import Clock
from domain.ports.consumer import Consumer
from domain.ports.event_store import DeadLetter, EventStore
from domain.ports.log import Log

RETRY_SECONDS = (0.05, 0.2, 1.0, 5.0)

log = structlog.get_logger(__name__)


class Runner:
    """Drives one consumer along the log until stopped."""

    def __init__(self, consumer: Consumer, source: Log, store: EventStore, clock: Clock) -> None:
        self._handling = Handling(consumer, store, clock)
        self._source = source
        self._store = store
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
        """Follows the log; returns after `stop` once the batch in hand is recorded."""
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

    async def _wait(self) -> None:
        if self._stopping.is_set():
            return
        self._waiting = asyncio.ensure_future(self._source.wait(self.position))
        try:
            await asyncio.wait((self._waiting,))
        finally:
            self._waiting.cancel()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
