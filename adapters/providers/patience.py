"""The timeouts of one call to a provider, kept by one timer that moves with the phases."""

import asyncio
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
    gives the next part its time.
    """

    def __init__(self, timeouts: CallTimeouts) -> None:
        self._now = asyncio.get_running_loop().time
        self._chunk = timeouts.chunk
        self._ends_at = self._now() + timeouts.total
        self._phase: FailureKind = "timeout_first_byte"
        self._timer = asyncio.timeout_at(self._bounded(self._now() + timeouts.first_byte))

    def heard(self) -> None:
        """The provider sent something: the next part may take the chunk timeout."""
        self._phase = "timeout_chunk"
        self._timer.reschedule(self._bounded(self._now() + self._chunk))

    def linger(self, seconds: float) -> None:
        """Nothing more is needed: wait this long at most."""
        self._timer.reschedule(self._bounded(self._now() + seconds))

    def _bounded(self, at: float) -> float:
        if at >= self._ends_at:
            self._phase = "timeout_total"
            return self._ends_at
        return at

    async def __aenter__(self) -> Self:
        await self._timer.__aenter__()
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        try:
            await self._timer.__aexit__(error_type, error, traceback)
        except TimeoutError as timeout:
            raise ProviderFailure(self._phase, _MESSAGES[self._phase]) from timeout
        return False
