"""Waiting for a stream to move: what long polls and live timelines hang on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from domain.following import follow
from domain.ports.event_store import LogEntry
from domain.ports.log import Log


class StreamWatch:
    """Follows the log from now on and wakes whoever watches a stream that got an event."""

    def __init__(self, source: Log) -> None:
        self._source = source
        self._watchers: dict[str, set[asyncio.Event]] = {}

    async def run(self) -> None:
        """Follows the log until cancelled."""
        await follow(self._source, self._source.head(), self._wake)

    @asynccontextmanager
    async def watching(self, stream: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever the stream moves; clear it before reading the stream."""
        moved = asyncio.Event()
        self._watchers.setdefault(stream, set()).add(moved)
        try:
            yield moved
        finally:
            watchers = self._watchers[stream]
            watchers.discard(moved)
            if not watchers:
                del self._watchers[stream]

    def _wake(self, entries: Sequence[LogEntry]) -> None:
        for entry in entries:
            for moved in self._watchers.get(entry.stream, ()):
                moved.set()
