"""The timeouts of one call to a provider, kept by one timer that moves with the phases."""

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Literal, Self

from domain.ports.provider import CallTimeouts, FailureKind, ProviderFailure

_MESSAGES: dict[FailureKind, str] = {
    "timeout_first_byte": "the provider was silent",
    "timeout_chunk": "the provider's answer stalled",
    "timeout_total": "the provider took too long",
}


class Patience:
    """Raises `ProviderFailure` out of its block when a phase takes longer than it may.

    The first-byte phase starts with the block and ends with the first `heard`; each further one
    gives the next part its time. A later end moves no timer: the timer looks when it goes off.
    """

    def __init__(self, timeouts: CallTimeouts) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is None:
            raise RuntimeError("a call to a provider belongs to a task")
        self._now, self._call_at = loop.time, loop.call_at
        self._task, self._cancelling = task, task.cancelling()
        self._chunk = timeouts.chunk
        now = loop.time()
        self._ends_at = now + timeouts.total
        self._phase: FailureKind = "timeout_first_byte"
        self._due_at = self._bounded(now + timeouts.first_byte)
        self._goes_off_at = self._due_at
        self._timer = self._call_at(self._due_at, self._look)
        self._is_over = False

    def heard(self) -> None:
        """The provider sent something: the next part may take the chunk timeout."""
        self._phase = "timeout_chunk"
        self._move(self._bounded(self._now() + self._chunk))

    def linger(self, seconds: float) -> None:
        """Nothing more is needed: wait this long at most."""
        self._move(self._bounded(self._now() + seconds))

    async def pause(self, until: Awaitable[None]) -> None:
        """Waits for what the provider has no part in: none of its times goes on meanwhile."""
        begun_at = self._now()
        self._timer.cancel()
        try:
            await until
        finally:
            waited = self._now() - begun_at
            self._ends_at += waited
            self._due_at += waited
            self._set_timer()

    def _move(self, due_at: float) -> None:
        self._due_at = due_at
        if due_at < self._goes_off_at:
            self._set_timer()

    def _set_timer(self) -> None:
        self._timer.cancel()
        self._goes_off_at = self._due_at
        self._timer = self._call_at(self._due_at, self._look)

    def _look(self) -> None:
        if self._now() < self._due_at:
            self._set_timer()
        else:
            self._is_over = True
            self._task.cancel()

    def _bounded(self, at: float) -> float:
        if at >= self._ends_at:
            self._phase = "timeout_total"
            return self._ends_at
        return at

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> Literal[False]:
        self._timer.cancel()
        if not self._is_over:
            return False
        is_ours = self._task.uncancel() <= self._cancelling  # else somebody wants all of it to end
        if is_ours and error_type is asyncio.CancelledError:
            raise ProviderFailure(self._phase, _MESSAGES[self._phase]) from error
        return False
