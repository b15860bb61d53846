"""How the read models stand against the log, for whoever waits for them or reports on them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.ports.clock import Clock
from domain.ports.log import Log
from domain.ports.read_models import Generation


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a projection is behind the log: in positions, and since when in milliseconds."""

    positions: int
    milliseconds: int


class ReadModelState:
    """The generations as they were seen last; used on one event loop.

    `is_ours` names those besides the active ones that somebody here keeps up.
    """

    def __init__(
        self, log: Log, clock: Clock, is_ours: Callable[[Generation], bool] = lambda _: False
    ) -> None:
        self._log, self._clock, self._is_ours = log, clock, is_ours
        self.generations: Sequence[Generation] = ()
        self._behind_since: dict[str, int] = {}
        self._moved = asyncio.Condition()
        self._awaited = 0
        # Set while somebody waits for the read models.
        self.hurried = asyncio.Event()

    async def see(self, generations: Sequence[Generation]) -> None:
        """Takes in how they are now, and tells whoever waits."""
        self.generations = generations
        head = self._log.head()
        for name, generation in self._read().items():
            if generation.position >= head:
                self._behind_since.pop(name, None)
            else:
                self.fell_behind(name)
        async with self._moved:
            self._moved.notify_all()

    def fell_behind(self, name: str) -> None:
        """There is something that the projection does not hold, from now on if not before."""
        self._behind_since.setdefault(name, self._clock.now())

    def own(self) -> list[Generation]:
        """The active generations, and those that are kept up here."""
        return [g for g in self.generations if g.is_active or self._is_ours(g)]

    def lag(self) -> dict[str, Lag]:
        """The lag of each projection: of its active generation, else of the one being built.

        Without those that have stopped: no waiting helps them, and the others are of use.
        """
        head, now, stopped = self._log.head(), self._clock.now(), self.stopped()
        return {
            name: Lag(
                max(0, head - generation.position),
                now - self._behind_since.get(name, now) if generation.position < head else 0,
            )
            for name, generation in self._read().items()
            if name not in stopped
        }

    def stopped(self) -> dict[str, str]:
        """The projections that met an entry which they cannot fold, each with the error."""
        return {g.name: g.error for g in self.own() if g.error is not None}

    async def caught_up(
        self, position: int, timeout_seconds: float, names: Sequence[str] = ()
    ) -> bool:
        """Waits until the named projections hold `position`; whether they do within the time.

        Without names: all but those that have stopped.
        """
        self._awaited += 1
        self.hurried.set()
        try:
            async with asyncio.timeout(timeout_seconds), self._moved:
                await self._moved.wait_for(lambda: self._hold(position, names))
        except TimeoutError:
            return False
        finally:
            self._awaited -= 1
            if not self._awaited:
                self.hurried.clear()
        return True

    def _hold(self, position: int, names: Sequence[str]) -> bool:
        read = self._read()
        wanted = [g for g in read.values() if (g.name in names if names else g.can_advance)]
        return bool(wanted) and all(g.is_active and g.position >= position for g in wanted)

    def _read(self) -> dict[str, Generation]:
        ordered = sorted(self.generations, key=lambda generation: generation.is_active)
        return {generation.name: generation for generation in ordered}
