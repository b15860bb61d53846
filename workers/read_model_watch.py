"""Keeps a node that does not project informed of how far the read models are."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from domain.ports.clock import Clock
from domain.ports.log import Log
from domain.ports.read_models import ReadModels, ReadModelUnavailable
from workers.read_model_state import Lag, ReadModelState

# How often it looks while somebody waits, and while nobody does.
HURRIED_SECONDS = 0.02
IDLE_SECONDS = 1.0

log_to = structlog.get_logger(__name__)


class ReadModelWatch:
    """Looks at the positions of the read models, which a projector elsewhere moves."""

    def __init__(self, log: Log, read_models: ReadModels, clock: Clock) -> None:
        self._read_models = read_models
        self._state = ReadModelState(log, clock)

    async def run(self) -> None:
        """Looks until cancelled. While the read models are away it waits."""
        problem: str | None = None
        while True:
            try:
                await self._state.see(await self._read_models.generations())
                problem = None
            except ReadModelUnavailable as error:
                if str(error) != problem:
                    log_to.warning("read models away", error=str(error))
                problem = str(error)
                await asyncio.sleep(IDLE_SECONDS)
            if self._state.hurried.is_set():
                await asyncio.sleep(HURRIED_SECONDS)
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_SECONDS):
                        await self._state.hurried.wait()

    def lag(self) -> dict[str, Lag]:
        """The lag of each projection that has not stopped."""
        return self._state.lag()

    def stopped(self) -> dict[str, str]:
        """The projections that cannot go on, each with the error."""
        return self._state.stopped()

    async def caught_up(
        self, position: int, timeout_seconds: float, names: Sequence[str] = ()
    ) -> bool:
        """Whether the named projections, or all, held `position` within the time."""
        return await self._state.caught_up(position, timeout_seconds, names)
