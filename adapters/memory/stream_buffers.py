"""Stream buffers of one process."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.ports.clock import Clock
from domain.ports.stream_buffers import (
    BufferBounds,
    BufferFull,
    Excerpt,
    StreamGone,
    StreamState,
)

STREAMS = 5_000
TOTAL_BYTES = 256 * 1024 * 1024
WAIT_SECONDS = 1.0


@dataclass(slots=True)
class _Stream:
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0
    state: StreamState = "open"
    appended_at: float = 0.0


class MemoryStreamBuffers:
    """`StreamBuffers` for one node; used on one event loop.

    It keeps `streams` streams and `total_bytes` bytes in all. What passes that drops the streams
    that were not appended to for longest, as if they had expired.
    """

    def __init__(
        self,
        clock: Clock,
        bounds: BufferBounds,
        streams: int = STREAMS,
        total_bytes: int = TOTAL_BYTES,
    ) -> None:
        self._clock, self._bounds = clock, bounds
        self._most_streams, self._most_bytes = streams, total_bytes
        # The one that was not appended to for longest first.
        self._streams: OrderedDict[str, _Stream] = OrderedDict()
        self._size = 0
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

    def holds(self, stream_id: str) -> bool:
        """Whether anything is known of this stream."""
        self._drop_old()
        return stream_id in self._streams

    async def append(self, stream_id: str, after: int, chunks: Sequence[bytes]) -> int:
        stream = self._written(stream_id, after)
        new = chunks[len(stream.chunks) - after :]
        if new:
            self._add(stream_id, stream, new)
        self._touch(stream_id, stream)
        return len(stream.chunks)

    async def end(self, stream_id: str, after: int) -> None:
        stream = self._written(stream_id, after)
        if len(stream.chunks) > after:
            raise ValueError(f"{stream_id} has chunks after {after}")
        if stream.state == "open":
            stream.state = "ended"
        self._touch(stream_id, stream)

    async def read(self, stream_id: str, after: int, limit: int) -> Excerpt:
        stream = self._written(stream_id, after)
        chunks = stream.chunks[after : after + limit]
        return Excerpt(tuple(enumerate(chunks, after + 1)), stream.state)

    async def wait(self, stream_id: str, after: int) -> None:
        if after == 0 or self.holds(stream_id):
            await self.has_news_within(stream_id, after, WAIT_SECONDS)

    async def forget(self, stream_id: str) -> None:
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            self._size -= stream.size

    async def has_news_within(self, stream_id: str, after: int, seconds: float) -> bool:
        """Waits until there is something to see after `after`, or the time is over."""
        if self._has_news(stream_id, after):
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self._waiting.setdefault(stream_id, set())
        waiters.add(waiter)
        try:
            await asyncio.wait((waiter,), timeout=seconds)
        finally:
            waiters.discard(waiter)
            if not waiters and self._waiting.get(stream_id) is waiters:
                del self._waiting[stream_id]
        return self._has_news(stream_id, after)

    def _has_news(self, stream_id: str, after: int) -> bool:
        self._drop_old()
        stream = self._streams.get(stream_id)
        return stream is not None and (len(stream.chunks) != after or stream.state != "open")

    def _written(self, stream_id: str, after: int) -> _Stream:
        """The stream, if everything up to `after` is kept; a new one if there is none."""
        self._drop_old()
        stream = self._streams.get(stream_id) or _Stream()
        if len(stream.chunks) < after:
            raise StreamGone(stream_id, len(stream.chunks))
        return stream

    def _add(self, stream_id: str, stream: _Stream, new: Sequence[bytes]) -> None:
        if stream.state == "ended":
            raise ValueError(f"{stream_id} has ended")
        size = sum(map(len, new))
        if (
            stream.state == "cut"
            or len(stream.chunks) + len(new) > self._bounds.chunks
            or stream.size + size > self._bounds.total_bytes
        ):
            stream.state = "cut"
            self._touch(stream_id, stream)
            raise BufferFull(f"no more than {len(stream.chunks)} chunks of the stream are kept")
        stream.chunks.extend(new)
        stream.size += size
        self._size += size

    def _touch(self, stream_id: str, stream: _Stream) -> None:
        stream.appended_at = self._clock.monotonic()
        self._streams[stream_id] = stream
        self._streams.move_to_end(stream_id)
        self._drop_old()
        for waiter in self._waiting.pop(stream_id, ()):
            if not waiter.done():
                waiter.set_result(None)

    def _drop_old(self) -> None:
        oldest_kept = self._clock.monotonic() - self._bounds.expiry_seconds
        while self._streams:
            stream_id, stream = next(iter(self._streams.items()))
            crowded = len(self._streams) > self._most_streams or self._size > self._most_bytes
            if stream.appended_at > oldest_kept and not crowded:
                return
            del self._streams[stream_id]
            self._size -= stream.size
