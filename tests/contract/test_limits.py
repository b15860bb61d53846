"""The laws of `domain/ports/limits.py`, held by memory, Redis, and Redis with its fallback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from adapters.memory.limits import MemoryLimits
from adapters.redis.connection import RedisConnection
from adapters.redis.limits import RedisLimits
from adapters.system.clock import SystemClock
from domain.governance.window import PARTS
from domain.ports.limits import Limit, Limits
from tests.support.helpers import UNHURRIED_SECONDS, node
from tests.support.manual_clock import ManualClock

TEN = Limit(10, 60)


@pytest.fixture(params=["memory", "redis", "fallback"])
async def nodes(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Limits, Limits]]:
    """Two nodes over the same counters; in memory there is but one."""
    if request.param == "memory":
        limits = MemoryLimits(SystemClock())
        yield limits, limits
        return
    url = request.getfixturevalue("redis_url")
    async with AsyncExitStack() as stack:
        if request.param == "redis":
            clients = [
                await stack.enter_async_context(
                    RedisConnection(url, timeout_seconds=UNHURRIED_SECONDS).pool(8)
                )
                for _ in range(2)
            ]
            yield RedisLimits(clients[0], "test"), RedisLimits(clients[1], "test")
        else:
            one = await stack.enter_async_context(node(url))
            other = await stack.enter_async_context(node(url))
            yield one.ports.limits, other.ports.limits
            assert (one.changes, other.changes) == ([], [])


@pytest.fixture
def limits(nodes: tuple[Limits, Limits]) -> Limits:
    return nodes[0]


async def test_no_more_than_the_limit_passes(limits: Limits) -> None:
    """Law 1."""
    allowed = [(await limits.take("k", TEN)).allowed for _ in range(15)]
    assert allowed == [True] * 10 + [False] * 5


async def test_no_more_passes_however_many_take_at_once_on_two_nodes(
    nodes: tuple[Limits, Limits],
) -> None:
    """Law 1."""
    limit = Limit(50, 60)
    taken = await asyncio.gather(*(limits.take("k", limit) for limits in nodes for _ in range(100)))
    assert sum(one.allowed for one in taken) == 50


async def test_no_period_sees_more_than_the_limit(limits: Limits) -> None:
    """Law 1: wherever it begins. Takes as often as it can for three periods."""
    limit, loop = Limit(5, 0.2), asyncio.get_running_loop()
    passed: list[tuple[float, float]] = []
    end = loop.time() + 3 * limit.seconds
    while loop.time() < end:
        begun = loop.time()
        if (await limits.take("k", limit)).allowed:
            passed.append((begun, loop.time()))
        await asyncio.sleep(0.005)
    # Of any six that follow each other, the first began at least a period before the last ended.
    spans = [last[1] - first[0] for first, last in zip(passed, passed[5:], strict=False)]
    assert len(passed) >= 10
    assert min(spans) >= limit.seconds


async def test_what_was_taken_can_be_taken_again_a_period_later(limits: Limits) -> None:
    """Law 2."""
    limit = Limit(3, 0.3)
    assert (await limits.take("k", limit, 3)).allowed
    await asyncio.sleep(limit.seconds * (1 + 1 / PARTS) + 0.02)
    assert (await limits.take("k", limit, 3)).allowed


async def test_waiting_for_as_long_as_it_says_is_enough(limits: Limits) -> None:
    """Law 2."""
    limit = Limit(2, 0.3)
    await limits.take("k", limit)
    await limits.take("k", limit)
    refused = await limits.take("k", limit)
    assert refused.retry_after_seconds is not None
    assert 0 < refused.retry_after_seconds <= limit.seconds * (1 + 1 / PARTS)
    await asyncio.sleep(refused.retry_after_seconds + 0.01)
    assert (await limits.take("k", limit)).allowed


async def test_a_refused_take_takes_nothing(limits: Limits) -> None:
    """Law 3."""
    await limits.take("k", TEN, 8)
    refused = await limits.take("k", TEN, 3)
    assert (refused.allowed, refused.remaining) == (False, 2)
    assert (await limits.take("k", TEN, 2)).allowed


async def test_a_cost_of_nothing_tells_how_things_stand(limits: Limits) -> None:
    """Law 3."""
    await limits.take("k", TEN, 10)
    for _ in range(2):
        peek = await limits.take("k", TEN, 0)
        assert (peek.allowed, peek.remaining, peek.limit) == (True, 0, 10)
        assert 57 < peek.reset_seconds <= 63


async def test_an_untouched_limit_is_whole(limits: Limits) -> None:
    """Law 3."""
    peek = await limits.take("k", TEN, 0)
    assert (peek.remaining, peek.reset_seconds, peek.retry_after_seconds) == (10, 0, 0)


async def test_a_negative_cost_is_a_mistake(limits: Limits) -> None:
    """Law 3."""
    with pytest.raises(ValueError, match="negative"):
        await limits.take("k", TEN, -1)
    assert (await limits.take("k", TEN, 0)).remaining == 10


async def test_what_can_never_pass_has_no_time_to_come_back(limits: Limits) -> None:
    refused = await limits.take("k", TEN, 11)
    assert (refused.allowed, refused.retry_after_seconds) == (False, None)
    assert refused.remaining == 10


async def test_a_limit_of_nothing_lets_nothing_through(limits: Limits) -> None:
    taken = await limits.take("k", Limit(0, 60))
    assert (taken.allowed, taken.remaining, taken.retry_after_seconds) == (False, 0, None)


async def test_what_is_given_back_can_be_taken_again(nodes: tuple[Limits, Limits]) -> None:
    """Law 4: on whatever node."""
    taken = await nodes[0].take("k", TEN, 10)
    await nodes[0].give_back("k", TEN, taken, 4)
    assert (await nodes[1].take("k", TEN, 0)).remaining == 4


async def test_no_more_is_given_back_than_was_taken(limits: Limits) -> None:
    """Law 4."""
    taken = await limits.take("k", TEN, 2)
    await limits.give_back("k", TEN, taken, 100)
    assert (await limits.take("k", TEN, 0)).remaining == 10
    await limits.give_back("k", TEN, taken, 1)
    assert (await limits.take("k", TEN, 0)).remaining == 10


async def test_a_refused_take_has_nothing_to_give_back(limits: Limits) -> None:
    """Law 4."""
    await limits.take("k", TEN, 10)
    refused = await limits.take("k", TEN, 1)
    await limits.give_back("k", TEN, refused, 1)
    assert (await limits.take("k", TEN, 0)).remaining == 0


async def test_what_counts_no_longer_is_not_given_back(limits: Limits) -> None:
    """Law 4: or the request of somebody else would be given back in its place."""
    limit = Limit(4, 0.2)
    taken = await limits.take("k", limit, 4)
    await asyncio.sleep(limit.seconds * (1 + 1 / PARTS) + 0.02)
    await limits.take("k", limit, 4)
    await limits.give_back("k", limit, taken, 4)
    assert (await limits.take("k", limit, 0)).remaining == 0


async def test_keys_and_periods_do_not_mix(limits: Limits) -> None:
    """Law 5."""
    await limits.take("k", TEN, 10)
    assert (await limits.take("other", TEN, 0)).remaining == 10
    assert (await limits.take("k", Limit(10, 3600), 0)).remaining == 10


async def test_another_count_keeps_what_was_taken(limits: Limits) -> None:
    """Law 5."""
    await limits.take("k", TEN, 8)
    assert (await limits.take("k", Limit(12, 60), 0)).remaining == 4
    lower = await limits.take("k", Limit(5, 60), 1)
    assert (lower.allowed, lower.remaining) == (False, 0)


@pytest.mark.parametrize(("count", "seconds"), [(-1, 60.0), (1, 0.0), (1, -5.0)])
def test_what_is_no_limit_is_refused(count: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="no limit"):
        Limit(count, seconds)


async def test_memory_forgets_the_counters_not_used_for_longest() -> None:
    limits = MemoryLimits(ManualClock(), counters=3)
    for key in "abcd":
        await limits.take(key, TEN)
    assert [(await limits.take(key, TEN, 0)).remaining for key in "abcd"] == [10, 9, 9, 9]


async def test_memory_keeps_no_counter_that_counts_nothing() -> None:
    clock = ManualClock()
    limits = MemoryLimits(clock)
    for number in range(100):
        await limits.take(f"k{number}", TEN)
        clock.pass_seconds(10)
    assert len(limits._windows) <= 8
