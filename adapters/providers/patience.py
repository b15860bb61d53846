"""The timeouts of calls to providers: one timer looks after all calls of an event loop."""

import asyncio
from collections.abc import Awaitable
from math import inf
from types import TracebackType
from typing import Literal, Self

from domain.ports.provider import CallTimeouts, FailureKind, ProviderFailure

_MESSAGES: dict[FailureKind, str] = {
    "timeout_first_byte": "the provider was silent",
    "timeout_chunk": "the provider's answer stalled",
    "timeout_total": "the provider took too long",
}


class Watch:
    """Looks after the calls of one event loop, whenever the first of them is due.

    Nearly every call ends long before it is. A timer of its own would be made and thrown away.
    """

    def __init__(self) -> None:
        self._watched: set[Patience] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._goes_off_at = inf

    def add(self, call: "Patience") -> None:
        """Looks after a call until it is taken out."""
        self._watched.add(call)
        self.look_by(call.due_at)

    def remove(self, call: "Patience") -> None:
        """The call has ended."""
        self._watched.discard(call)

    def look_by(self, due_at: float) -> None:
        """A call is due then. One that is due later than it was moves no timer."""
        if due_at < self._goes_off_at:
            self.close()
            self._goes_off_at = due_at
            self._timer = asyncio.get_running_loop().call_at(due_at, self._look)

    def close(self) -> None:
        """Nothing is looked after until the next call."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._goes_off_at = None, inf

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for call in [call for call in self._watched if call.due_at <= now]:
            self._watched.discard(call)
            call.give_up()
        self.close()
        self.look_by(min((call.due_at for call in self._watched), default=inf))


class Patience:
    """Raises `ProviderFailure` out of its block when a phase takes longer than it may.

    The first-byte phase starts with the block and ends with the first `heard`; each further one
    gives the next part its time. `due_at` is in the time of the event loop.
    """

    def __init__(self, timeouts: CallTimeouts, watch: Watch) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call to a provider belongs to a task")
        self._task, self._cancelling = task, task.cancelling()
        self._watch = watch
        self._now = asyncio.get_running_loop().time
        self._chunk = timeouts.chunk
        self._is_over = False
        now = self._now()
        self._ends_at = now + timeouts.total
        self._phase: FailureKind = "timeout_first_byte"
        self.due_at = self._bounded(now + timeouts.first_byte)

    def heard(self) -> None:
        """The provider sent something: the next part may take the chunk timeout."""
        self._phase = "timeout_chunk"
        self._move(self._bounded(self._now() + self._chunk))

    def linger(self, seconds: float) -> None:
        """Nothing more is needed: wait this long at most."""
        self._move(self._bounded(self._now() + seconds))

    async def pause(self, until: Awaitable[None]) -> None:
        """Waits for what the provider has no part in: none of its times goes on meanwhile."""
        begun_at, due_at = self._now(), self.due_at
        self.due_at = inf
        try:
            await until
        finally:
            waited = self._now() - begun_at
            self._ends_at += waited
            self._move(due_at + waited)

    def give_up(self) -> None:
        """The time is over."""
        self._is_over = True
        self._task.cancel()

    def _move(self, due_at: float) -> None:
        self.due_at = due_at
        self._watch.look_by(due_at)

    def _bounded(self, at: float) -> float:
        if at >= self._ends_at:
            self._phase = "timeout_total"
            return self._ends_at
        return at

    def __enter__(self) -> Self:
        self._watch.add(self)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> Literal[False]:
        self._watch.remove(self)
        if not self._is_over:
            return False
        is_ours = self._task.uncancel() <= self._cancelling  # else somebody wants all of it to end
        if is_ours and error_type is asyncio.CancelledError:
            raise ProviderFailure(self._phase, _MESSAGES[self._phase]) from error
        return False
