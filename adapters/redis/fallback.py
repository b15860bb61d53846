"""Limits and stream buffers over all nodes that go on within this node when Redis is away."""

from collections.abc import Sequence
from contextlib import suppress

from adapters.memory.limits import MemoryLimits
from adapters.memory.stream_buffers import MemoryStreamBuffers
from adapters.redis.limits import RedisLimits
from adapters.redis.stream_buffers import WAIT_PAUSES, RedisStreamBuffers
from adapters.redis.switch import Switch
from domain.ports.limits import Limit, Taken
from domain.ports.stream_buffers import BufferFull, Excerpt, StreamGone

PAGE = 500


class FallbackLimits:
    """`Limits` in Redis, else in memory.

    While it is degraded each node counts for itself, from what it counted in earlier such times.
    On n nodes at most n + 1 times the limit is let through in a period: once by Redis and once by
    each node; and once more for each time that Redis lost its data.
    """

    def __init__(self, switch: Switch, far: RedisLimits, near: MemoryLimits) -> None:
        self._switch, self._far, self._near = switch, far, near

    async def take(self, key: str, limit: Limit, cost: int = 1) -> Taken:
        return await self._switch.use(
            lambda: self._far.take(key, limit, cost), lambda: self._near.take(key, limit, cost)
        )

    async def give_back(self, key: str, limit: Limit, taken: Taken, cost: int = 1) -> None:
        """Where it was not taken there is no such part, and nothing is given back."""
        await self._near.give_back(key, limit, taken, cost)
        await self._switch.use(lambda: self._far.give_back(key, limit, taken, cost), _nothing)


class FallbackStreamBuffers:
    """`StreamBuffers` in the memory of the node that writes, with a copy in Redis for the others.

    On the writing node Redis is never waited for to read. While it is away the other nodes do
    not see what is new; the first append or end after that brings the copy up to date. A stream
    that ended meanwhile stays open in Redis until it expires there: the log knows better.
    """

    def __init__(self, switch: Switch, far: RedisStreamBuffers, near: MemoryStreamBuffers) -> None:
        self._switch, self._far, self._near = switch, far, near

    async def append(self, stream_id: str, after: int, chunks: Sequence[bytes]) -> int:
        try:
            last = await self._near.append(stream_id, after, chunks)
        except BufferFull:
            with suppress(BufferFull):  # which cuts the copy too
                await self._copy(stream_id, after, chunks)
            raise
        await self._copy(stream_id, after, chunks)
        return last

    async def end(self, stream_id: str, after: int) -> None:
        await self._near.end(stream_id, after)
        await self._switch.use(lambda: self._end_copy(stream_id, after), _nothing)

    async def read(self, stream_id: str, after: int, limit: int) -> Excerpt:
        if self._near.holds(stream_id):
            return await self._near.read(stream_id, after, limit)
        return await self._switch.use(
            lambda: self._far.read(stream_id, after, limit),
            lambda: self._near.read(stream_id, after, limit),
        )

    async def wait(self, stream_id: str, after: int) -> None:
        for pause in WAIT_PAUSES:
            if await self._has_far_news(stream_id, after):
                return
            if await self._near.has_news_within(stream_id, after, pause):
                return

    async def forget(self, stream_id: str) -> None:
        """While Redis is away the copy there stays until it expires."""
        await self._near.forget(stream_id)
        await self._switch.use(lambda: self._far.forget(stream_id), _nothing)

    async def _has_far_news(self, stream_id: str, after: int) -> bool:
        if self._near.holds(stream_id):
            return False
        return await self._switch.use(lambda: self._far.has_news(stream_id, after), _no)

    async def _copy(self, stream_id: str, after: int, chunks: Sequence[bytes]) -> None:
        await self._switch.use(lambda: self._append_copy(stream_id, after, chunks), _nothing)

    async def _append_copy(self, stream_id: str, after: int, chunks: Sequence[bytes]) -> None:
        try:
            await self._far.append(stream_id, after, chunks)
        except StreamGone as gone:
            await self._catch_up(stream_id, gone.last)
            await self._far.append(stream_id, after, chunks)

    async def _end_copy(self, stream_id: str, after: int) -> None:
        try:
            await self._far.end(stream_id, after)
        except StreamGone as gone:
            await self._catch_up(stream_id, gone.last)
            await self._far.end(stream_id, after)

    async def _catch_up(self, stream_id: str, last: int) -> None:
        """Copies what Redis lacks. Cut short by the timeout, the next time goes on from there."""
        while chunks := (await self._near.read(stream_id, last, PAGE)).chunks:
            last = await self._far.append(stream_id, last, [chunk for _, chunk in chunks])


async def _nothing() -> None:
    return None


async def _no() -> bool:
    return False
