"""The runner of the embedded log: decode → skip if seen → handle → record → go on.

A consumer's outcome, its inbox row and its position stand in one transaction. Handlers that
return at once are called in position order; handlers that await run in order within a stream
and side by side across streams.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from domain.errors import Conflict, DomainError, StoreUnavailable, UndecodableEvent, VersionConflict
from domain.event import Event, Origin, Recorded, system_origin
from domain.ids import HOUSE_ACCOUNT
from domain.ports.clock import Clock
from domain.ports.consumer import Consumer, Outcome
from domain.ports.event_store import Append, DeadLetter, EventStore, LogEntry, Mark, Unreadable
from domain.ports.log import Log

BATCH = 500
# Streams whose handlers await run side by side up to this many.
MAX_STREAMS = 64
RETRY_SECONDS = (0.05, 0.2, 1.0, 5.0)

log = structlog.get_logger(__name__)


class Runner:
    """Drives one consumer along the log until stopped."""

    def __init__(self, consumer: Consumer, source: Log, store: EventStore, clock: Clock) -> None:
        self._consumer = consumer
        self._routes: dict[type[Event], Any] = {r.event_type: r.handle for r in consumer.routes}
        self._source = source
        self._store = store
        self._clock = clock
        self._position = 0
        self._marked = 0
        self._seen: frozenset[int] = frozenset()
        self._stopping = asyncio.Event()

    @property
    def position(self) -> int:
        """Everything up to here is handled."""
        return self._position

    @property
    def group(self) -> str:
        return self._consumer.group

    async def run(self) -> None:
        """Follows the log; returns after `stop` once the batch in hand is recorded."""
        failures, resumed = 0, False
        while not self._stopping.is_set():
            try:
                if not resumed:
                    await self._resume()
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

    async def redrive(self, letter: DeadLetter) -> None:
        """Handles a dead letter again and removes it in the same transaction.

        Raises `Conflict` when it still cannot be handled; the letter then stays.
        """
        try:
            await self._redrive(letter)
        except (StoreUnavailable, LookupError):
            raise
        except Exception as error:
            raise Conflict(
                f"the event still cannot be handled: {error}", code="redrive_failed"
            ) from error

    async def _redrive(self, letter: DeadLetter) -> None:
        entry = await self._source.at(letter.position)
        if isinstance(entry, Unreadable):
            raise UndecodableEvent(entry.error)
        result = self._routes[type(entry.event)](entry)
        outcome = result if isinstance(result, Outcome) else await result
        await self._append_new(
            Append(_origin(self.group, entry), outcome.writes, redriven=(letter,))
        )

    async def _resume(self) -> None:
        checkpoint = await self._store.checkpoint(self.group)
        self._position = self._marked = checkpoint.watermark
        self._seen = checkpoint.handled

    async def _step(self) -> None:
        entries = await self._source.read(self._position, BATCH)
        if entries:
            await self._handle(entries)
        else:
            await self._wait()

    async def _wait(self) -> None:
        waiting = asyncio.ensure_future(self._source.wait(self._position))
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        stopping.cancel()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _handle(self, entries: Sequence[LogEntry]) -> None:
        """Handles a batch, in position order where handlers return at once, and marks it done."""
        recording: list[Callable[[], Awaitable[None]]] = []
        awaiting: dict[str, list[Recorded[Event]]] = {}
        for entry in entries:
            if entry.position in self._seen:
                continue
            if isinstance(entry, Unreadable):
                recording.append(partial(self._bury, entry, entry.error))
                continue
            handle = self._routes.get(type(entry.event))
            if handle is None:
                continue
            if inspect.iscoroutinefunction(handle):
                awaiting.setdefault(entry.stream, []).append(entry)
                continue
            try:
                outcome = handle(entry)
            except Exception as error:
                self._raise_if_transient(error)
                recording.append(partial(self._bury, entry, repr(error)))
            else:
                if outcome.writes:
                    recording.append(partial(self._record, entry, outcome))
        limit = asyncio.Semaphore(MAX_STREAMS)
        await asyncio.gather(
            *(record() for record in recording),
            *(self._in_order(stream, limit) for stream in awaiting.values()),
        )
        await self._advance(entries[-1].position, marked=bool(recording or awaiting))

    async def _in_order(self, stream: Sequence[Recorded[Event]], limit: asyncio.Semaphore) -> None:
        async with limit:
            for entry in stream:
                try:
                    outcome = await self._routes[type(entry.event)](entry)
                except Exception as error:
                    self._raise_if_transient(error)
                    await self._bury(entry, repr(error))
                else:
                    await self._record(entry, outcome)

    @staticmethod
    def _raise_if_transient(error: Exception) -> None:
        """Lets through what a later try can mend: the whole batch is then tried again."""
        if isinstance(error, StoreUnavailable):
            raise error
        if isinstance(error, DomainError) and error.retryable:
            raise StoreUnavailable(str(error)) from error

    async def _record(self, entry: Recorded[Event], outcome: Outcome) -> None:
        """Records one outcome with its inbox row."""
        mark = Mark(self.group, 0, (entry.position,))
        await self._append_new(Append(_origin(self.group, entry), outcome.writes, mark=mark))

    async def _append_new(self, append: Append) -> None:
        """Appends what is not there yet.

        An outcome starts streams of its own under ids derived from the event. One that is there
        was started before, by this consumer or by whoever asked for the same thing.
        """
        while True:
            try:
                await self._store.append(append)
            except VersionConflict as conflict:
                log.info("consumer.duplicate", group=self.group, stream=conflict.stream)
                left = tuple(w for w in append.writes if w.stream != conflict.stream)
                append = replace(append, writes=left)
            else:
                return

    async def _bury(self, entry: LogEntry, error: str) -> None:
        """Sets an event aside that can never be handled, with its bytes and the error."""
        name = entry.event_name if isinstance(entry, Unreadable) else entry.event.event_name
        log.error("consumer.dead_letter", group=self.group, position=entry.position, error=error)
        letter = DeadLetter(self.group, entry.position, name, error, self._clock.now())
        await self._store.append(
            Append(
                self._own_origin(),
                mark=Mark(self.group, 0, (entry.position,)),
                dead_letters=(letter,),
            )
        )

    async def _advance(self, position: int, *, marked: bool) -> None:
        """Moves the position; a batch with nothing in it is marked with a later one."""
        if marked or position - self._marked >= BATCH:
            await self._store.append(Append(self._own_origin(), mark=Mark(self.group, position)))
            self._marked = position
            self._seen = frozenset(p for p in self._seen if p > position)
        self._position = position

    def _own_origin(self) -> Origin:
        return system_origin(HOUSE_ACCOUNT, self.group, f"consumer:{self.group}")


def _origin(group: str, cause: Recorded[Event]) -> Origin:
    return Origin(
        cause.account_id, "system", group, cause.correlation_id, cause.event_id, cause.trace
    )
