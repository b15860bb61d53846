"""The laws of `domain/ports/stream_buffers.py`, held by memory, Redis, and Redis with memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from adapters.memory.stream_buffers import MemoryStreamBuffers
from adapters.redis.connection import RedisConnection
from adapters.redis.stream_buffers import RedisStreamBuffers
from adapters.system.clock import SystemClock
from domain.ports.stream_buffers import (
    BufferBounds,
    BufferFull,
    Excerpt,
    StreamBuffers,
    StreamGone,
)
from tests.support.helpers import BOUNDS, UNHURRIED_SECONDS, eventually, in_seconds, node
from tests.support.manual_clock import ManualClock

Pair = tuple[StreamBuffers, StreamBuffers]
Open = Callable[[BufferBounds], AsyncIterator[Pair]]
S = "job_1.attempt_1"


@asynccontextmanager
async def opened(kind: str, url: str | None, bounds: BufferBounds) -> AsyncIterator[Pair]:
    """The node that writes and one that reads; in memory they are the same."""
    if url is None:
        memory = MemoryStreamBuffers(SystemClock(), bounds)
        yield memory, memory
        return
    async with AsyncExitStack() as stack:
        if kind == "redis":
            connection = RedisConnection(url, timeout_seconds=UNHURRIED_SECONDS)
            one, other = [await stack.enter_async_context(connection.pool(8)) for _ in range(2)]
            yield (
                RedisStreamBuffers(one, "test", bounds),
                RedisStreamBuffers(other, "test", bounds),
            )
        else:
            writing = await stack.enter_async_context(node(url, bounds))
            reading = await stack.enter_async_context(node(url, bounds))
            yield writing.ports.stream_buffers, reading.ports.stream_buffers
            assert (writing.changes, reading.changes) == ([], [])


@pytest.fixture(params=["memory", "redis", "fallback"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest) -> str | None:
    return None if kind == "memory" else str(request.getfixturevalue("redis_url"))


@pytest.fixture
async def pair(kind: str, url: str | None) -> AsyncIterator[Pair]:
    async with opened(kind, url, BOUNDS) as both:
        yield both


@pytest.fixture(params=["here", "elsewhere"])
def reader(pair: Pair, request: pytest.FixtureRequest) -> StreamBuffers:
    """The node that writes, and another."""
    return pair[0] if request.param == "here" else pair[1]


async def test_chunks_come_back_with_their_numbers(pair: Pair, reader: StreamBuffers) -> None:
    """Law 1."""
    assert await pair[0].append(S, 0, [b"a", b"\x00\xff"]) == 2
    assert await pair[0].append(S, 2, [b""]) == 3
    assert await reader.read(S, 0, 9) == Excerpt(((1, b"a"), (2, b"\x00\xff"), (3, b"")), "open")


async def test_a_client_goes_on_where_it_was(pair: Pair, reader: StreamBuffers) -> None:
    """Law 1."""
    await pair[0].append(S, 0, [b"a", b"b", b"c", b"d"])
    assert (await reader.read(S, 1, 2)).chunks == ((2, b"b"), (3, b"c"))
    assert (await reader.read(S, 4, 2)).chunks == ()


async def test_streams_do_not_mix(pair: Pair, reader: StreamBuffers) -> None:
    """Law 1."""
    await pair[0].append(S, 0, [b"a"])
    await pair[0].append("other", 0, [b"b"])
    assert (await reader.read("other", 0, 9)).chunks == ((1, b"b"),)


async def test_an_append_may_be_repeated(pair: Pair, reader: StreamBuffers) -> None:
    """Law 2."""
    await pair[0].append(S, 0, [b"a", b"b"])
    assert await pair[0].append(S, 0, [b"a", b"b"]) == 2
    assert await pair[0].append(S, 1, [b"b", b"c"]) == 3
    assert (await reader.read(S, 0, 9)).chunks == ((1, b"a"), (2, b"b"), (3, b"c"))


async def test_an_append_of_nothing_changes_nothing(pair: Pair) -> None:
    """Law 2."""
    assert await pair[0].append(S, 0, []) == 0
    await pair[0].append(S, 0, [b"a"])
    assert await pair[0].append(S, 1, []) == 1


async def test_a_gap_is_never_papered_over(pair: Pair) -> None:
    """Law 3."""
    await pair[0].append(S, 0, [b"a"])
    with pytest.raises(StreamGone) as refused:
        await pair[0].append(S, 2, [b"c"])
    assert refused.value.last == 1
    with pytest.raises(StreamGone):
        await pair[0].end(S, 2)
    assert await pair[0].read(S, 0, 9) == Excerpt(((1, b"a"),), "open")


async def test_the_rest_of_a_stream_that_is_not_kept_is_refused(reader: StreamBuffers) -> None:
    """Law 3."""
    with pytest.raises(StreamGone):
        await reader.read(S, 3, 9)


async def test_a_stream_has_a_bound_of_chunks(pair: Pair, reader: StreamBuffers) -> None:
    """Law 4."""
    await pair[0].append(S, 0, [b"x"] * 8)
    with pytest.raises(BufferFull):
        await pair[0].append(S, 8, [b"x"] * 3)
    excerpt = await reader.read(S, 0, 20)
    assert (len(excerpt.chunks), excerpt.state) == (8, "cut")


async def test_a_stream_has_a_bound_of_bytes(pair: Pair, reader: StreamBuffers) -> None:
    """Law 4."""
    await pair[0].append(S, 0, [b"x" * 60])
    with pytest.raises(BufferFull):
        await pair[0].append(S, 1, [b"x" * 41])
    assert (await reader.read(S, 1, 20)).state == "cut"


async def test_nothing_follows_what_was_refused(pair: Pair) -> None:
    """Law 4: however small it is, there would be a hole."""
    with pytest.raises(BufferFull):
        await pair[0].append(S, 0, [b"x" * 101])
    with pytest.raises(BufferFull):
        await pair[0].append(S, 0, [b"x"])


async def test_a_cut_stream_stays_cut(pair: Pair, reader: StreamBuffers) -> None:
    """Law 5: a truncated answer is never presented as complete."""
    await pair[0].append(S, 0, [b"a"])
    with pytest.raises(BufferFull):
        await pair[0].append(S, 1, [b"x" * 100])
    await pair[0].end(S, 1)
    assert (await reader.read(S, 0, 9)).state == "cut"


async def test_a_stream_has_ended_once_it_was_said(pair: Pair, reader: StreamBuffers) -> None:
    """Law 5."""
    await pair[0].append(S, 0, [b"a"])
    assert (await reader.read(S, 0, 9)).state == "open"
    await pair[0].end(S, 1)
    await pair[0].end(S, 1)
    assert await reader.read(S, 0, 9) == Excerpt(((1, b"a"),), "ended")


async def test_a_stream_may_end_with_nothing_in_it(pair: Pair, reader: StreamBuffers) -> None:
    """Law 5."""
    await pair[0].end(S, 0)
    assert await reader.read(S, 0, 9) == Excerpt((), "ended")


async def test_nothing_follows_the_end(pair: Pair) -> None:
    """Law 5."""
    await pair[0].append(S, 0, [b"a"])
    await pair[0].end(S, 1)
    assert await pair[0].append(S, 0, [b"a"]) == 1
    with pytest.raises(ValueError, match="ended"):
        await pair[0].append(S, 1, [b"b"])


async def test_the_end_is_the_end_of_the_whole_stream(pair: Pair) -> None:
    """Law 5."""
    await pair[0].append(S, 0, [b"a", b"b"])
    with pytest.raises(ValueError, match="chunks after"):
        await pair[0].end(S, 1)


async def test_who_waits_is_woken_by_a_chunk(pair: Pair, reader: StreamBuffers) -> None:
    """Law 6: also before the first one."""
    waiting = asyncio.create_task(next_chunk(reader, 0))
    await asyncio.sleep(0.05)
    await pair[0].append(S, 0, [b"a"])
    assert await waiting == (1, b"a")


async def test_who_waits_is_woken_by_the_end(pair: Pair, reader: StreamBuffers) -> None:
    """Law 6."""
    await pair[0].append(S, 0, [b"a"])
    waiting = asyncio.create_task(next_chunk(reader, 1))
    await asyncio.sleep(0.05)
    await pair[0].end(S, 1)
    assert await waiting is None


async def test_nobody_waits_for_what_is_there(pair: Pair, reader: StreamBuffers) -> None:
    """Law 6."""
    await pair[0].append(S, 0, [b"a"])
    await pair[0].end(S, 1)
    assert await in_seconds(reader.wait(S, 0)) < 0.5
    assert await in_seconds(reader.wait(S, 1)) < 0.5


async def test_a_wait_comes_back_without_anything_new(pair: Pair) -> None:
    """Law 6."""
    assert await in_seconds(pair[1].wait(S, 0)) < 2


async def test_who_waits_does_not_look_all_the_time(pair: Pair, reader: StreamBuffers) -> None:
    """Law 6: a wait that came back at once would keep a core busy."""
    await pair[0].append(S, 0, [b"a"])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await reader.wait(S, 1)


async def test_an_unknown_stream_is_open_and_empty(reader: StreamBuffers) -> None:
    """Law 7."""
    assert await reader.read(S, 0, 9) == Excerpt((), "open")


async def test_a_stream_is_forgotten_after_its_last_append(kind: str, url: str | None) -> None:
    """Law 8."""
    async with opened(kind, url, replace(BOUNDS, expiry_seconds=0.5)) as (writer, other):
        await writer.append(S, 0, [b"a"])
        await asyncio.sleep(0.3)
        await writer.append(S, 1, [b"b"])
        await asyncio.sleep(0.3)
        assert len((await other.read(S, 0, 9)).chunks) == 2
        await asyncio.sleep(0.3)
        for buffers in (writer, other):
            with pytest.raises(StreamGone):
                await buffers.read(S, 2, 9)
        with pytest.raises(StreamGone):
            await writer.append(S, 2, [b"c"])


async def test_a_stream_is_forgotten_when_it_is_asked_for(
    pair: Pair, reader: StreamBuffers
) -> None:
    """Law 9."""
    await pair[0].append(S, 0, [b"a"])
    await pair[0].end(S, 1)
    await pair[0].append("other", 0, [b"b"])
    for _ in range(2):
        await pair[0].forget(S)
        assert await reader.read(S, 0, 9) == Excerpt((), "open")
    assert len((await reader.read("other", 0, 9)).chunks) == 1


async def test_a_node_that_did_not_write_a_stream_forgets_it_too(pair: Pair) -> None:
    """Law 9."""
    await pair[0].append(S, 0, [b"a"])
    await pair[1].forget(S)
    assert await pair[1].read(S, 0, 9) == Excerpt((), "open")


async def test_memory_has_room_for_what_follows_a_forgotten_stream() -> None:
    buffers = MemoryStreamBuffers(ManualClock(), BOUNDS, total_bytes=150)
    await buffers.append("a", 0, [b"x" * 100])
    await buffers.forget("a")
    for stream in ("b", "c"):
        await buffers.append(stream, 0, [b"x" * 70])
    assert [buffers.holds(stream) for stream in ("b", "c")] == [True, True]


async def test_memory_drops_the_stream_appended_to_longest_ago() -> None:
    buffers = MemoryStreamBuffers(ManualClock(), BOUNDS, streams=2)
    for stream in ("a", "b", "c"):
        await buffers.append(stream, 0, [b"x"])
    assert [buffers.holds(stream) for stream in ("a", "b", "c")] == [False, True, True]


async def test_memory_has_a_bound_over_all_streams() -> None:
    buffers = MemoryStreamBuffers(ManualClock(), BOUNDS, total_bytes=150)
    for stream in ("a", "b"):
        await buffers.append(stream, 0, [b"x" * 100])
    assert [buffers.holds(stream) for stream in ("a", "b")] == [False, True]


async def test_memory_keeps_nothing_of_those_who_waited() -> None:
    buffers = MemoryStreamBuffers(SystemClock(), BOUNDS)
    waiting = [asyncio.create_task(buffers.wait(S, 0)) for _ in range(3)]
    await eventually(lambda: bool(buffers._waiting))
    waiting[0].cancel()
    await buffers.append(S, 0, [b"a"])
    await asyncio.wait(waiting)
    assert buffers._waiting == {}


async def next_chunk(buffers: StreamBuffers, after: int) -> tuple[int, bytes] | None:
    """The chunk after this one, or `None` at the end; what every reader does."""
    async with asyncio.timeout(10):
        while True:
            excerpt = await buffers.read(S, after, 1)
            if excerpt.chunks:
                return excerpt.chunks[0]
            if excerpt.state != "open":
                return None
            await buffers.wait(S, after)
