"""The log of a node: the store's position order, with the newest entries in memory.

Consumers that keep up are served from memory and woken by the commit; one that is behind reads
from the store.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from domain.event import Event, Recorded
from domain.ports.event_store import LogEntry

# Entries after a position, at most so many, from the store.
ReadStored = Callable[[int, int], Awaitable[Sequence[LogEntry]]]
KEPT = 4_000


class RecentLog:
    """`Log` over a store that tells of every commit; used on the store's event loop."""

    def __init__(self, read_stored: ReadStored, head: int) -> None:
        self._read_stored = read_stored
        self._head = head
        self._recent: list[LogEntry] = []
        # Streams that began among the newest entries, and so are whole in memory.
        self._streams: dict[str, list[Recorded[Event]]] = {}
        self._waiters: list[asyncio.Future[None]] = []

    def head(self) -> int:
        return self._head

    def committed(self, events: Sequence[LogEntry]) -> None:
        """Takes in what was just committed and wakes whoever waits."""
        if not events:
            return
        self._recent += events
        streams = self._streams
        for entry in events:
            if not isinstance(entry, Recorded):
                continue
            if entry.version == 1:
                streams[entry.stream] = [entry]
            elif (stream := streams.get(entry.stream)) is not None:
                stream.append(entry)
        if len(self._recent) > 2 * KEPT:
            self._forget(len(self._recent) - KEPT)
        self._move(events[-1].position)

    def _move(self, head: int) -> None:
        self._head = max(self._head, head)
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            # In the next turn of the loop: whoever made the commit goes on before who follows.
            waiters[0].get_loop().call_soon(_wake, waiters)

    def stream(self, stream: str) -> tuple[Recorded[Event], ...] | None:
        """The whole stream, if it began among the newest entries."""
        events = self._streams.get(stream)
        return None if events is None else tuple(events)

    def _forget(self, count: int) -> None:
        """Drops the oldest entries, and the streams that began with one of them."""
        for recorded in self._recent[:count]:
            self._streams.pop(recorded.stream, None)
        del self._recent[:count]

    async def read(self, after: int, limit: int) -> Sequence[LogEntry]:
        if after >= self._head:
            return ()
        if self._recent and self._recent[0].position <= after + 1 <= self._recent[-1].position:
            start = after + 1 - self._recent[0].position
            return self._recent[start : start + limit]
        return await self._read_stored(after, limit)

    async def at(self, position: int) -> LogEntry:
        entries = await self.read(position - 1, 1)
        if not entries or entries[0].position != position:
            raise LookupError(f"there is nothing at position {position}")
        return entries[0]

    async def wait(self, after: int) -> None:
        while self._head <= after:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter


def _wake(waiters: Sequence[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
