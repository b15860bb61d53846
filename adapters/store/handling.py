"""What a consumer does with a batch of the log: handle → record, or set aside → mark.

A consumer's outcome, its inbox row and its position stand in one transaction. Handlers that
return at once are called in position order; handlers that await run in order within a stream
and side by side across streams. Used by the runner of the embedded log and by the consumers of
Kafka, whose partitions are each marked under a name of their own.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
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

# Keeps a copy of what is set aside; called before that is recorded.
SetAside = Callable[[LogEntry, str], Awaitable[None]]
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Progress:
    """How far a consumer has come, as it stands in the store under the name `mark`.

    Everything up to `position` is handled, up to `marked` that is recorded; `seen` was handled
    beyond it.
    """

    mark: str
    position: int = 0
    marked: int = 0
    seen: frozenset[int] = field(default_factory=frozenset)


async def load_progress(store: EventStore, mark: str) -> Progress:
    """Where the consumer goes on."""
    checkpoint = await store.checkpoint(mark)
    return Progress(mark, checkpoint.watermark, checkpoint.watermark, checkpoint.handled)


async def _keep_no_copy(_entry: LogEntry, _error: str) -> None:
    """The store's dead letters hold all that there is to keep."""


class Handling:
    """The handlers of one consumer and the recording of what they bring about.

    A batch that brought something about is marked at once, or with a later one if `lazy`: inbox
    rows say in between what was handled.
    """

    def __init__(
        self, consumer: Consumer, store: EventStore, clock: Clock, *, lazy: bool = False
    ) -> None:
        self.group = consumer.group
        self._routes: dict[type[Event], Any] = {r.event_type: r.handle for r in consumer.routes}
        # The event types whose handlers await.
        self._awaited = frozenset(
            r.event_type for r in consumer.routes if inspect.iscoroutinefunction(r.handle)
        )
        self._store = store
        self._clock = clock
        self._lazy = lazy

    async def handle(
        self, entries: Sequence[LogEntry], progress: Progress, keep: SetAside = _keep_no_copy
    ) -> None:
        """Handles what is new of a batch, in position order, and marks all of it done.

        Raises `StoreUnavailable` when a later try can mend it; `progress` has not moved then,
        and what was recorded already is not brought about twice.
        """
        recording: list[Callable[[], Awaitable[bool]]] = []
        awaiting: dict[str, list[Recorded[Event]]] = {}
        for entry in entries:
            if entry.position in progress.seen:
                continue
            if isinstance(entry, Unreadable):
                recording.append(partial(self._bury, progress, keep, entry, entry.error))
                continue
            handle = self._routes.get(type(entry.event))
            if handle is None:
                continue
            if type(entry.event) in self._awaited:
                awaiting.setdefault(entry.stream, []).append(entry)
                continue
            record = self._at_once(handle, entry, progress, keep)
            if record is not None:
                recording.append(record)
        limit = asyncio.Semaphore(MAX_STREAMS)
        recorded = await _all(
            *(record() for record in recording),
            *(self._in_order(stream, limit, progress, keep) for stream in awaiting.values()),
        )
        await self._advance(progress, entries[-1].position, marked=any(recorded))

    async def redrive(self, letter: DeadLetter, source: Log) -> None:
        """Handles a dead letter again and removes it in the same transaction.

        Raises `Conflict` when it still cannot be handled; the letter then stays.
        """
        try:
            await self._redrive(letter, source)
        except (StoreUnavailable, LookupError):
            raise
        except Exception as error:
            raise Conflict(
                f"the event still cannot be handled: {error}", code="redrive_failed"
            ) from error

    async def _redrive(self, letter: DeadLetter, source: Log) -> None:
        entry = await source.at(letter.position)
        if isinstance(entry, Unreadable):
            raise UndecodableEvent(entry.error)
        result = self._routes[type(entry.event)](entry)
        outcome = result if isinstance(result, Outcome) else await result
        await self._append_new(
            Append(_origin(self.group, entry), outcome.writes, redriven=(letter,))
        )

    def _at_once(
        self, handle: Any, entry: Recorded[Event], progress: Progress, keep: SetAside
    ) -> Callable[[], Awaitable[bool]] | None:
        """Calls a handler that returns at once; what is to be recorded of it, if anything."""
        try:
            outcome = handle(entry)
        except Exception as error:
            _raise_if_transient(error)
            return partial(self._bury, progress, keep, entry, repr(error))
        return partial(self._record, progress, entry, outcome) if outcome.writes else None

    async def _in_order(
        self,
        stream: Sequence[Recorded[Event]],
        limit: asyncio.Semaphore,
        progress: Progress,
        keep: SetAside,
    ) -> bool:
        """Handles the events of one stream; whether anything was recorded of them."""
        is_recorded = False
        async with limit:
            for entry in stream:
                try:
                    outcome = await self._routes[type(entry.event)](entry)
                except Exception as error:
                    _raise_if_transient(error)
                    is_recorded = await self._bury(progress, keep, entry, repr(error))
                else:
                    if outcome.writes:
                        is_recorded = await self._record(progress, entry, outcome)
        return is_recorded

    async def _record(self, progress: Progress, entry: Recorded[Event], outcome: Outcome) -> bool:
        """Records one outcome with its inbox row."""
        mark = Mark(progress.mark, 0, (entry.position,))
        await self._append_new(Append(_origin(self.group, entry), outcome.writes, mark=mark))
        return True

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

    async def _bury(self, progress: Progress, keep: SetAside, entry: LogEntry, error: str) -> bool:
        """Sets an event aside that can never be handled, with its bytes and the error."""
        name = entry.event_name if isinstance(entry, Unreadable) else entry.event.event_name
        log.error("consumer.dead_letter", group=self.group, position=entry.position, error=error)
        await keep(entry, error)
        letter = DeadLetter(self.group, entry.position, name, error, self._clock.now())
        await self._store.append(
            Append(
                self._own_origin(),
                mark=Mark(progress.mark, 0, (entry.position,)),
                dead_letters=(letter,),
            )
        )
        return True

    async def _advance(self, progress: Progress, position: int, *, marked: bool) -> None:
        """Moves the position; a batch with nothing in it is marked with a later one."""
        if (marked and not self._lazy) or position - progress.marked >= BATCH:
            await self._mark(progress, position)
        progress.position = position

    async def mark(self, progress: Progress) -> None:
        """Records how far the consumer has come, unless that is recorded."""
        if progress.position > progress.marked:
            await self._mark(progress, progress.position)

    async def _mark(self, progress: Progress, position: int) -> None:
        await self._store.append(Append(self._own_origin(), mark=Mark(progress.mark, position)))
        progress.marked = position
        progress.seen = frozenset(p for p in progress.seen if p > position)

    def _own_origin(self) -> Origin:
        return system_origin(HOUSE_ACCOUNT, self.group, f"consumer:{self.group}")


async def _all(*work: Awaitable[bool]) -> list[bool]:
    """Waits for all of it, also when a part fails, so that nothing goes on behind our back."""
    results = await asyncio.gather(*work, return_exceptions=True) if work else []
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def _raise_if_transient(error: Exception) -> None:
    """Lets through what a later try can mend: the whole batch is then tried again."""
    if isinstance(error, StoreUnavailable):
        raise error
    if isinstance(error, DomainError) and error.retryable:
        raise StoreUnavailable(str(error)) from error


def _origin(group: str, cause: Recorded[Event]) -> Origin:
    return Origin(
        cause.account_id, "system", group, cause.correlation_id, cause.event_id, cause.trace
    )
