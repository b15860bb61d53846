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
        loop = asyncio.get_running_loop()
        self._now, self._call_at = loop.time, loop.call_at
        self._chunk = timeouts.chunk
        self._ends_at = self._now() + timeouts.total
        self._phase: FailureKind = "timeout_first_byte"
        self._due_at = self._bounded(self._now() + timeouts.first_byte)
        self._goes_off_at = self._due_at
        self._timer = self._call_at(self._due_at, self._look)
        self._block = asyncio.timeout(None)

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
            self._block.reschedule(self._due_at)

    def _bounded(self, at: float) -> float:
        if at >= self._ends_at:
            self._phase = "timeout_total"
            return self._ends_at
        return at

    async def __aenter__(self) -> Self:
        await self._block.__aenter__()
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        self._timer.cancel()
        try:
            await self._block.__aexit__(error_type, error, traceback)
        except TimeoutError as timeout:
            raise ProviderFailure(self._phase, _MESSAGES[self._phase]) from timeout
        return False
