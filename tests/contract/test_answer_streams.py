"""The laws of `domain/ports/answer_streams.py`, held over memory and over Redis."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from adapters.blobs.files import FileBlobs
from adapters.crypto.answer_streams import SealedStreams
from adapters.crypto.master_key import MasterKey
from adapters.crypto.payloads import INLINE_BYTES, SealedPayloads
from adapters.memory.stream_buffers import MemoryStreamBuffers
from adapters.redis.connection import RedisConnection
from adapters.redis.stream_buffers import RedisStreamBuffers
from adapters.sqlite.data_keys import SqliteDataKeys
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.ports.payloads import PayloadErased
from domain.ports.stream_buffers import BufferBounds, StreamBuffers, StreamGone

ALICE, BOB = "acct_alice", "acct_bob"
S = "job_1"
LONG = b"a long event " * INLINE_BYTES


@pytest.fixture
def payloads(tmp_path: Path) -> Iterator[SealedPayloads]:
    with closing(SqliteDataKeys(tmp_path / "k.db", MasterKey(b"m" * 32), SystemClock())) as keys:
        yield SealedPayloads(keys, FileBlobs(tmp_path / "blobs", "process"), TimeOrderedIds())


@asynccontextmanager
async def redis_buffers(url: str) -> AsyncIterator[StreamBuffers]:
    async with RedisConnection(url, timeout_seconds=10).pool(4) as client:
        yield RedisStreamBuffers(client, "test", BufferBounds())


@pytest.fixture(params=["memory", "redis"])
async def buffers(request: pytest.FixtureRequest) -> AsyncIterator[StreamBuffers]:
    if request.param == "memory":
        yield MemoryStreamBuffers(SystemClock(), BufferBounds())
        return
    async with redis_buffers(request.getfixturevalue("redis_url")) as opened:
        yield opened


@pytest.fixture
def streams(buffers: StreamBuffers, payloads: SealedPayloads) -> SealedStreams:
    return SealedStreams(buffers, payloads)


async def test_events_come_back_with_their_numbers(streams: SealedStreams) -> None:
    """Law 1."""
    assert await streams.append(ALICE, S, 0, [b"a", b""]) == 2
    assert await streams.append(ALICE, S, 2, [LONG]) == 3
    await streams.end(S, 3)
    excerpt = await streams.read(ALICE, S, 1, 9)
    assert (excerpt.chunks, excerpt.state) == (((2, b""), (3, LONG)), "ended")


async def test_nothing_readable_is_kept(
    streams: SealedStreams, buffers: StreamBuffers, tmp_path: Path
) -> None:
    await streams.append(ALICE, S, 0, [b"a secret", LONG])
    kept = b"".join(chunk for _, chunk in (await buffers.read(S, 0, 9)).chunks)
    assert b"secret" not in kept
    assert b"long event" not in kept
    assert not list((tmp_path / "blobs").rglob("*.*"))


async def test_another_account_reads_nothing(streams: SealedStreams) -> None:
    """Law 1."""
    await streams.append(ALICE, S, 0, [b"a"])
    with pytest.raises((ValueError, PayloadErased)):
        await streams.read(BOB, S, 0, 9)


async def test_what_is_erased_cannot_be_read(
    streams: SealedStreams, payloads: SealedPayloads
) -> None:
    """Law 2."""
    await streams.append(ALICE, S, 0, [b"a"])
    await payloads.destroy(ALICE)
    with pytest.raises(PayloadErased):
        await streams.read(ALICE, S, 0, 9)


async def test_what_is_forgotten_is_gone(streams: SealedStreams, buffers: StreamBuffers) -> None:
    await streams.append(ALICE, S, 0, [b"a"])
    await streams.forget(S)
    assert (await buffers.read(S, 0, 9)).chunks == ()


Alter = Callable[[list[bytes]], list[bytes]]


@pytest.mark.parametrize(
    "alter", [lambda kept: kept[::-1], lambda kept: [b"x", kept[1]]], ids=["swapped", "altered"]
)
async def test_what_was_altered_is_told(
    streams: SealedStreams, buffers: StreamBuffers, payloads: SealedPayloads, alter: Alter
) -> None:
    """Law 2."""
    await streams.append(ALICE, S, 0, [b"a", b"b"])
    kept = [chunk for _, chunk in (await buffers.read(S, 0, 9)).chunks]
    elsewhere = MemoryStreamBuffers(SystemClock(), BufferBounds())
    await elsewhere.append(S, 0, alter(kept))
    with pytest.raises(ValueError, match="the chunk"):
        await SealedStreams(elsewhere, payloads).read(ALICE, S, 0, 9)


async def test_a_gap_is_told_as_the_buffers_tell_it(streams: SealedStreams) -> None:
    with pytest.raises(StreamGone):
        await streams.read(ALICE, S, 3, 9)
