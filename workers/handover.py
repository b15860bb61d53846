"""The events of an answer between the run that makes them and the client that reads them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Generic, TypeVar

# When so many wait for a client that reads slowly, its provider is read no further.
MOST_WAITING = 256
T = TypeVar("T")


class Handover(Generic[T]):
    """One gives, one takes, in one event loop; `taken` gets all that is taken."""

    def __init__(self, taken: Callable[[Sequence[T]], None] = lambda _: None) -> None:
        self._taken = taken
        self._waiting: list[T] = []
        self._taker: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._is_closed = False
        self._is_abandoned = False

    def give(self, one: T) -> Awaitable[None] | None:
        """Hands `one` over; wait for what is returned, if anything, before giving more."""
        if self._is_abandoned:
            return None
        self._waiting.append(one)
        self._wake()
        if len(self._waiting) < MOST_WAITING:
            return None
        if self._room is None:
            self._room = asyncio.get_running_loop().create_future()
        return self._room

    def close(self) -> None:
        """Nothing more is given."""
        self._is_closed = True
        self._wake()

    def abandon(self) -> None:
        """Nothing more is taken, and nobody waits for that."""
        self._is_abandoned = True
        self._waiting.clear()
        self._make_room()

    async def batches(self, silence_seconds: float = 0.0) -> AsyncGenerator[Sequence[T], None]:
        """All that was given since the last time, as soon as there is any, until the end.

        Nothing tells of each silence of so long; 0 for never. To be taken once.
        """
        silence = _Silence(silence_seconds, self._wake) if silence_seconds else None
        loop = asyncio.get_running_loop()
        try:
            while True:
                if not self._waiting and not self._is_closed:
                    self._taker = loop.create_future()
                    await self._taker
                if silence is not None:
                    silence.heard()
                batch, self._waiting = self._waiting, []
                if not batch and self._is_closed:
                    return
                self._make_room()
                self._taken(batch)
                yield batch
        finally:
            self.abandon()
            if silence is not None:
                silence.end()

    def _wake(self) -> None:
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)

    def _make_room(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)


class _Silence:
    """Tells when nothing was heard for so long, and again after each further while.

    What is heard moves no timer: the timer looks when it goes off.
    """

    def __init__(self, seconds: float, tell: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._now, self._call_at = loop.time, loop.call_at
        self._seconds = seconds
        self._tell = tell
        self._due_at = self._now() + seconds
        self._timer = self._call_at(self._due_at, self._look)

    def heard(self) -> None:
        self._due_at = self._now() + self._seconds

    def end(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        if self._now() >= self._due_at:
            self._tell()
            self.heard()
        self._timer = self._call_at(self._due_at, self._look)
