"""A thread that works for one event loop: all requests that wait at once, one hop for all answers.

A thread pool costs a hand-over of the interpreter lock for each request, which beside a busy event
loop is dearer than the request. Whatever happens in the thread, every request gets an answer.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from domain.errors import StoreUnavailable

# A store that takes longer for one group hangs; what comes next is refused and not kept waiting.
STUCK_SECONDS = 10.0

Q = TypeVar("Q")
A = TypeVar("A")
# What is asked, and the future that ends with its answer.
Request = tuple[Q, asyncio.Future[Any]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Worked(Generic[A]):
    """The answers to a group, in its order, and a notice that goes to the loop before them."""

    answers: Sequence[A | Exception]
    notice: Callable[[], None] | None = None


class GroupThread(Generic[Q, A]):
    """Runs `work` on groups of requests, at most `max_group` at a time, in the order of asking."""

    def __init__(self, name: str, max_group: int, work: Callable[[Sequence[Q]], Worked[A]]) -> None:
        self._max_group = max_group
        self._work = work
        self._requests: queue.SimpleQueue[Request[Q] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        # What was asked in this turn of the loop.
        self._asked: list[Request[Q]] = []
        self._closed = False
        # When the group in hand was begun, by the monotonic clock.
        self._began: float | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, asked: Q) -> asyncio.Future[A]:
        """Queues a request; the future ends with its answer.

        Raises `StoreUnavailable` once closed, and while the thread is stuck in a group.
        """
        if self._closed:
            raise StoreUnavailable("the event store is closed")
        if self.is_stuck:
            raise StoreUnavailable("the event store does not answer")
        answer: asyncio.Future[A] = self._loop.create_future()
        if not self._asked:
            self._loop.call_soon(self._hand_over)
        self._asked.append((asked, answer))
        return answer

    def _hand_over(self) -> None:
        """Once a turn of the loop: a thread that is woken for the first takes the lock from it."""
        requests, self._asked = self._asked, []
        for request in requests:
            self._requests.put(request)

    @property
    def is_stuck(self) -> bool:
        """Whether one group has been in hand for longer than any should."""
        began = self._began
        return began is not None and time.monotonic() - began > STUCK_SECONDS

    async def close(self) -> None:
        """Answers what waits and ends the thread; one that is stuck is left behind."""
        self._closed = True
        self._hand_over()
        self._requests.put(None)
        await asyncio.to_thread(self._thread.join, None if not self.is_stuck else 0)

    def _run(self) -> None:
        open_ = True
        while open_:
            group: list[Request[Q]] = []
            open_ = self._gather(group)
            if group:
                worked = self._worked([asked for asked, _ in group])
                self._loop.call_soon_threadsafe(self._deliver, group, worked)

    def _gather(self, group: list[Request[Q]]) -> bool:
        """Waits for one request and takes all that wait with it; False once closed."""
        request = self._requests.get()
        while request is not None:
            group.append(request)
            if len(group) >= self._max_group or self._requests.empty():
                return True
            request = self._requests.get()
        return False

    def _worked(self, group: Sequence[Q]) -> Worked[A]:
        self._began = time.monotonic()
        try:
            return self._work(group)
        except Exception as error:  # noqa: BLE001 - a request without an answer waits for ever
            return Worked([error] * len(group))
        finally:
            self._began = None

    def _deliver(self, group: Sequence[Request[Q]], worked: Worked[A]) -> None:
        if worked.notice is not None:
            try:
                worked.notice()
            except Exception:
                log.exception("store.notice_failed")
        for (_, waiting), answer in zip(group, worked.answers, strict=True):
            if waiting.done():  # the caller gave up waiting
                continue
            if isinstance(answer, Exception):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)
