"""The events of an answer between the run that makes them and the client that reads them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

# When so many wait for a client that reads slowly, its provider is read no further.
MOST_WAITING = 256
T = TypeVar("T")


class Handover(Generic[T]):
    """One gives, one takes; made in the event loop that both run in."""

    def __init__(self) -> None:
        self._waiting: list[T] = []
        self._taker: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._is_closed = False
        self._is_abandoned = False
        self._silence: _Silence | None = None

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
        """Nobody takes any more, and nobody is waited for."""
        self._is_abandoned = True
        self._waiting.clear()
        self._make_room()

    @contextmanager
    def listening(self, silence_seconds: float) -> Iterator[None]:
        """While one takes: `take` returns after so long at the latest, if it is not 0."""
        if silence_seconds:
            self._silence = _Silence(silence_seconds, self._wake)
        try:
            yield
        finally:
            if self._silence is not None:
                self._silence.end()
            self.abandon()

    async def take(self) -> Sequence[T] | None:
        """All that was given since the last time, once there is any.

        Nothing after a silence, and None when nothing more comes.
        """
        if not self._waiting and not self._is_closed:
            self._taker = asyncio.get_running_loop().create_future()
            await self._taker
        if self._silence is not None:
            self._silence.heard()
        if not self._waiting:
            return None if self._is_closed else ()
        taken, self._waiting = self._waiting, []
        self._make_room()
        return taken

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
