"""Redis that is killed, hangs, refuses to write or was never there: nobody waits, all goes on."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from domain.ports.limits import Limit
from domain.ports.stream_buffers import BufferFull, Excerpt, StreamGone
from infra.local.services import LocalRedis
from tests.support import services
from tests.support.helpers import Node, carried, eventually, in_seconds, node

TIMEOUT_SECONDS = 0.1
# A use may last one timeout; the rest is what a loaded machine adds. Uses that waited one after
# another, or for connections, would need many more.
FEW_TIMEOUTS_SECONDS = 5 * TIMEOUT_SECONDS
TEN = Limit(10, 60)
S = "job_1.attempt_1"


@pytest.fixture
def server(server_folder: Path) -> Iterator[LocalRedis]:
    """A Redis server of the test's own, which forgets everything when it is restarted."""
    if reason := LocalRedis.available():
        services.missing("redis", reason)
    with LocalRedis(server_folder / "redis", settings={"appendonly": "no"}) as started:
        yield started


@pytest.fixture
async def one(server: LocalRedis) -> AsyncIterator[Node]:
    async with node(server.url, timeout_seconds=TIMEOUT_SECONDS) as running:
        yield running


@pytest.fixture
async def patient(server: LocalRedis) -> AsyncIterator[Node]:
    """A node for which a loaded machine is no reason to give Redis up."""
    async with node(server.url) as running:
        yield running


@pytest.fixture
async def other(server: LocalRedis) -> AsyncIterator[Node]:
    async with node(server.url, timeout_seconds=TIMEOUT_SECONDS) as running:
        yield running


@contextmanager
def hanging(server: LocalRedis) -> Iterator[None]:
    """Takes connections and answers nothing for as long as the context."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


async def test_a_take_goes_on_in_memory_when_redis_is_killed(server: LocalRedis, one: Node) -> None:
    await one.ports.limits.take("k", TEN, 4)
    server.kill()
    taken = await one.ports.limits.take("k", TEN, 7)
    assert (taken.allowed, taken.remaining) == (True, 3)
    assert one.ports.states()["limits"] == "degraded"


async def test_a_hanging_redis_costs_one_timeout_and_then_nothing(
    server: LocalRedis, one: Node
) -> None:
    limits = one.ports.limits
    await limits.take("k", TEN)
    with hanging(server):
        assert await in_seconds(limits.take("k", TEN)) < FEW_TIMEOUTS_SECONDS
        assert await in_seconds(_many_takes(one, 200)) < FEW_TIMEOUTS_SECONDS


async def test_all_who_use_it_when_it_hangs_wait_for_one_timeout(
    server: LocalRedis, one: Node
) -> None:
    """More than there are connections in the pool."""
    limits, limit = one.ports.limits, Limit(1_000, 60)
    with hanging(server):
        takes = asyncio.gather(*(limits.take("k", limit) for _ in range(200)))
        assert await in_seconds(takes) < FEW_TIMEOUTS_SECONDS
    assert sum(taken.allowed for taken in await takes) == 200


async def test_it_is_used_again_once_it_answers(server: LocalRedis, one: Node) -> None:
    server.kill()
    await one.ports.limits.take("k", TEN)
    server.start()
    await one.until("ok", "limits")
    await one.ports.limits.take("k", TEN, 4)
    async with node(server.url) as later:
        assert (await later.ports.limits.take("k", TEN, 0)).remaining == 6


async def test_it_is_used_again_once_it_hangs_no_longer(server: LocalRedis, one: Node) -> None:
    with hanging(server):
        await one.ports.limits.take("k", TEN)
    await one.until("ok", "limits")
    assert [reason is None for _, reason in _changes(one, "limits")] == [False, True]


async def test_no_connection_is_lost_by_a_hang(server: LocalRedis, one: Node) -> None:
    """Else those that come later would wait for one and give Redis up."""
    with hanging(server):
        await _takes_at_once(one, 200)
    await one.until("ok", "limits")
    client: Any = one.ports.limits._far._take.registered_client
    assert not client.connection_pool._in_use_connections


async def test_connections_of_before_a_restart_are_no_failure(
    server: LocalRedis, patient: Node
) -> None:
    await _takes_at_once(patient, 200)
    server.kill()
    await patient.ports.limits.take("k", TEN)
    server.start()
    await patient.until("ok", "limits")
    await _takes_at_once(patient, 200)
    assert len(_changes(patient, "limits")) == 2


async def test_what_each_node_counted_alone_is_bounded(
    server: LocalRedis, one: Node, other: Node
) -> None:
    """On two nodes, three times the limit: by each node and by Redis."""
    nodes = (one, other)
    passed = sum([await _passing(each) for each in nodes])
    server.kill()
    passed += sum([await _passing(each) for each in nodes])
    server.start()
    for each in nodes:
        await each.until("ok", "limits")
    assert passed == 3 * TEN.count


async def test_each_change_is_told_once_with_its_reason(server: LocalRedis, one: Node) -> None:
    server.kill()
    await _many_takes(one, 20)
    server.start()
    await one.until("ok", "limits")
    (degraded, restored) = _changes(one, "limits")
    assert degraded[1] is not None
    assert "ConnectionError" in degraded[1]
    assert restored[1] is None


async def test_a_hang_has_a_reason_too(server: LocalRedis, one: Node) -> None:
    with hanging(server):
        await one.ports.limits.take("k", TEN)
    (reason,) = [reason for _, reason in _changes(one, "limits") if reason is not None]
    assert reason.startswith("TimeoutError: ")


async def test_a_redis_that_answers_pings_and_refuses_writes_is_away(
    server_folder: Path,
) -> None:
    full = {"maxmemory": "1", "maxmemory-policy": "noeviction"}
    with LocalRedis(server_folder / "full", settings=full) as server:
        async with node(server.url, timeout_seconds=TIMEOUT_SECONDS) as running:
            assert (await running.ports.limits.take("k", TEN)).remaining == 9
            assert (await running.ports.limits.take("k", TEN)).remaining == 8
            await asyncio.sleep(0.3)
            assert running.ports.states()["limits"] == "degraded"


async def test_a_node_starts_and_works_without_redis(server: LocalRedis) -> None:
    server.kill()
    async with node(server.url, timeout_seconds=TIMEOUT_SECONDS) as running:
        called = asyncio.Event()
        running.ports.signals.subscribe("jobs", called.set)
        running.ports.signals.wake("jobs")
        assert (await running.ports.limits.take("k", TEN)).allowed
        assert await running.ports.stream_buffers.append(S, 0, [b"a"]) == 1
        await asyncio.wait_for(called.wait(), 1)
        await running.until("degraded", "limits", "signals", "stream_buffers")
        server.start()
        await running.until("ok", "limits", "signals", "stream_buffers")


async def test_the_writing_node_keeps_its_streams_without_redis(
    server: LocalRedis, one: Node
) -> None:
    buffers = one.ports.stream_buffers
    await buffers.append(S, 0, [b"a"])
    server.kill()
    await buffers.append(S, 1, [b"b"])
    await buffers.end(S, 2)
    assert await buffers.read(S, 0, 9) == Excerpt(((1, b"a"), (2, b"b")), "ended")


async def test_the_other_nodes_see_all_of_a_stream_once_redis_is_back(
    server: LocalRedis, one: Node, other: Node
) -> None:
    """Also what was lost with Redis, and what was written while it was away."""
    await one.ports.stream_buffers.append(S, 0, [b"a"])
    server.kill()
    await one.ports.stream_buffers.append(S, 1, [b"b"])
    server.start()
    await one.until("ok", "stream_buffers")
    await one.ports.stream_buffers.append(S, 2, [b"c"])
    excerpt = await other.ports.stream_buffers.read(S, 0, 9)
    assert excerpt == Excerpt(((1, b"a"), (2, b"b"), (3, b"c")), "open")


async def test_the_end_brings_the_copy_up_to_date_too(
    server: LocalRedis, one: Node, other: Node
) -> None:
    await one.ports.stream_buffers.append(S, 0, [b"a"])
    server.restart()
    await one.ports.stream_buffers.append("x", 0, [b"x"])
    await one.until("ok", "stream_buffers")
    await one.ports.stream_buffers.end(S, 1)
    assert await other.ports.stream_buffers.read(S, 0, 9) == Excerpt(((1, b"a"),), "ended")


async def test_a_stream_cut_while_redis_was_away_is_cut_for_all(
    server: LocalRedis, one: Node, other: Node
) -> None:
    server.kill()
    await one.ports.stream_buffers.append(S, 0, [b"a"])
    server.start()
    await one.until("ok", "stream_buffers")
    with pytest.raises(BufferFull):
        await one.ports.stream_buffers.append(S, 1, [b"x" * 100])
    assert await other.ports.stream_buffers.read(S, 0, 9) == Excerpt(((1, b"a"),), "cut")


async def test_a_reader_elsewhere_is_told_that_the_rest_is_lost(
    server: LocalRedis, one: Node, other: Node
) -> None:
    await one.ports.stream_buffers.append(S, 0, [b"a", b"b"])
    server.kill()
    with pytest.raises(StreamGone):
        await other.ports.stream_buffers.read(S, 1, 9)


async def test_who_waits_elsewhere_is_woken_after_a_hang(
    server: LocalRedis, one: Node, other: Node
) -> None:
    await one.ports.stream_buffers.append(S, 0, [b"a"])
    with hanging(server):
        assert await in_seconds(other.ports.stream_buffers.wait(S, 1)) < 2
        await one.ports.stream_buffers.append(S, 1, [b"b"])
    await one.until("ok", "stream_buffers")
    await other.until("ok", "stream_buffers")
    await one.ports.stream_buffers.append(S, 2, [b"c"])
    excerpt = await other.ports.stream_buffers.read(S, 1, 9)
    assert excerpt.chunks == ((2, b"b"), (3, b"c"))


async def test_signals_come_back_and_call_everybody_once(
    server: LocalRedis, one: Node, other: Node
) -> None:
    calls: list[str] = []
    other.ports.signals.subscribe("jobs", lambda: calls.append("jobs"))
    other.ports.signals.subscribe("keys", lambda: calls.append("keys"))
    await eventually(lambda: {"jobs", "keys"} <= set(calls))
    server.kill()
    await other.until("degraded", "signals")
    calls.clear()
    server.start()
    await eventually(lambda: calls == ["jobs", "keys"])
    await one.until("ok", "signals")
    one.ports.signals.wake("jobs")
    await eventually(lambda: calls == ["jobs", "keys", "jobs"])


async def test_a_wake_while_one_node_is_cut_off_reaches_the_others_later(
    server: LocalRedis, patient: Node
) -> None:
    """They were connected all the time, and so have no reason to look by themselves."""
    async with Redis.from_url(server.url) as client:
        own = await _connections(patient, client)
        async with node(server.url) as listening:
            calls: list[str] = []
            await carried(patient.ports.signals, listening.ports.signals)
            listening.ports.signals.subscribe("jobs", lambda: calls.append("jobs"))
            for number in own:
                await client.client_kill_filter(_id=number)
            await patient.until("degraded", "signals")
            patient.ports.signals.wake("jobs")
            await eventually(lambda: calls == ["jobs"])
            assert listening.changes == []


async def test_signals_notice_a_redis_that_hangs_in_silence(server: LocalRedis, one: Node) -> None:
    await asyncio.sleep(0.2)
    with hanging(server):
        await one.until("degraded", "signals")
    await one.until("ok", "signals")


async def test_a_failure_of_one_helper_is_not_one_of_another(server: LocalRedis, one: Node) -> None:
    """Each finds out for itself: a Redis that is slow with streams may still count."""
    server.kill()
    await one.ports.limits.take("k", TEN)
    assert one.ports.states()["stream_buffers"] == "ok"


async def _many_takes(one: Node, count: int) -> None:
    for _ in range(count):
        await one.ports.limits.take("k", TEN)


async def _connections(one: Node, client: Redis) -> list[str]:
    """The ids of those that the signals of the only node have, once it has both."""
    one.ports.signals.wake("somebody")
    async with asyncio.timeout(10):
        while len(listed := await client.client_list()) < 3:
            await asyncio.sleep(0.01)
    me = await client.client_id()
    return [entry["id"] for entry in listed if int(entry["id"]) != me]


async def _takes_at_once(one: Node, count: int) -> None:
    await asyncio.gather(*(one.ports.limits.take("k", TEN) for _ in range(count)))


async def _passing(one: Node) -> int:
    """How many takes a node lets through now."""
    return sum([(await one.ports.limits.take("k", TEN)).allowed for _ in range(2 * TEN.count)])


def _changes(one: Node, helper: str) -> list[tuple[str, str | None]]:
    return [change for change in one.changes if change[0] == helper]
