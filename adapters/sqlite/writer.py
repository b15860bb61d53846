"""The group-commit writer: one thread, one transaction for all appends that wait."""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eventsourcing.persistence import PersistenceError
from eventsourcing.sqlite import SQLiteCursor

from adapters.codec.events import EventCodec
from adapters.sqlite.group import Changes, Group
from adapters.sqlite.recorder import Recorder
from adapters.sqlite.transaction import load, save
from domain.errors import DomainError, StoreUnavailable, VersionConflict
from domain.event import Event, Recorded
from domain.ports.clock import Clock, Ids
from domain.ports.event_store import Append

# More would lengthen the commit that everybody waits for; measured, the gain is gone by then.
MAX_GROUP = 500

Answer = tuple[Recorded[Event], ...] | Exception
Committed = Callable[[Changes], None]


@dataclass(frozen=True, slots=True)
class _Request:
    append: Append
    answer: asyncio.Future[tuple[Recorded[Event], ...]]


class GroupCommitWriter:
    """Takes appends from one event loop and commits them in groups.

    Answers, and the notice of what was committed, are delivered on that loop: the notice first,
    so that whoever awaited an append finds the log already knowing of it.
    """

    def __init__(
        self,
        recorder: Recorder,
        codec: EventCodec,
        clock: Clock,
        ids: Ids,
        committed: Committed,
    ) -> None:
        self._recorder = recorder
        self._codec = codec
        self._clock = clock
        self._ids = ids
        self._committed = committed
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self.is_available = True
        self._thread = threading.Thread(target=self._run, name="event-store-writer", daemon=True)
        self._thread.start()

    def submit(self, append: Append) -> asyncio.Future[tuple[Recorded[Event], ...]]:
        """Queues an append; the future ends when it is durable or refused."""
        if self._closed:
            raise StoreUnavailable("the event store is closed")
        answer: asyncio.Future[tuple[Recorded[Event], ...]] = self._loop.create_future()
        self._requests.put(_Request(append, answer))
        return answer

    async def close(self) -> None:
        """Commits what waits and ends the thread."""
        self._closed = True
        self._requests.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        open_ = True
        while open_:
            group: list[_Request] = []
            open_ = self._gather(group)
            if group:
                changes, answers = self._commit([request.append for request in group])
                self._loop.call_soon_threadsafe(self._deliver, group, changes, answers)

    def _gather(self, group: list[_Request]) -> bool:
        """Waits for one request and takes all that wait with it; False once closed."""
        request = self._requests.get()
        while request is not None:
            group.append(request)
            if len(group) >= MAX_GROUP or self._requests.empty():
                return True
            request = self._requests.get()
        return False

    def _commit(self, appends: Sequence[Append]) -> tuple[Changes, list[Answer]]:
        try:
            committed = self._recorder.transact(lambda c: self._decide_and_save(c, appends))
        except PersistenceError as error:
            self.is_available = False
            unavailable = StoreUnavailable(f"the event store could not write: {error}")
            unavailable.__cause__ = error
            return Changes(), [unavailable] * len(appends)
        self.is_available = True
        return committed

    def _decide_and_save(
        self, c: SQLiteCursor, appends: Sequence[Append]
    ) -> tuple[Changes, list[Answer]]:
        group = Group(load(self._recorder, c, appends), self._clock, self._ids)
        answers: list[Answer] = []
        for append in appends:
            try:
                answers.append(group.add(append))
            except (DomainError, VersionConflict, ValueError) as refusal:
                answers.append(refusal)
        save(self._recorder, c, group.changes, self._codec)
        return group.changes, answers

    def _deliver(
        self, group: Sequence[_Request], changes: Changes, answers: Sequence[Answer]
    ) -> None:
        self._committed(changes)
        for request, answer in zip(group, answers, strict=True):
            if request.answer.done():  # the caller gave up waiting
                continue
            if isinstance(answer, Exception):
                request.answer.set_exception(answer)
            else:
                request.answer.set_result(answer)
