"""The laws of `domain/ports/signals.py`, held by memory and Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from adapters.memory.signals import MemorySignals
from domain.ports.signals import Signals
from tests.support.helpers import carried, eventually, node


@pytest.fixture(params=["memory", "redis"])
async def nodes(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Signals, Signals]]:
    """Two nodes over the same medium; in memory there is but one."""
    if request.param == "memory":
        signals = MemorySignals()
        yield signals, signals
        return
    url = request.getfixturevalue("redis_url")
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(node(url))
        other = await stack.enter_async_context(node(url))
        await carried(one.ports.signals, other.ports.signals)
        await carried(other.ports.signals, one.ports.signals)
        yield one.ports.signals, other.ports.signals


class Receiver:
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


@pytest.mark.parametrize("receiving", [0, 1])
async def test_a_wake_reaches_the_receivers_of_every_node(
    nodes: tuple[Signals, Signals], receiving: int
) -> None:
    """Law 1."""
    first, second = Receiver(), Receiver()
    nodes[receiving].subscribe("jobs", first)
    nodes[receiving].subscribe("jobs", second)
    nodes[0].wake("jobs")
    await eventually(lambda: first.calls > 0 and second.calls > 0)


async def test_a_wake_calls_nobody_before_it_returns(nodes: tuple[Signals, Signals]) -> None:
    """Law 2."""
    receiver = Receiver()
    nodes[0].subscribe("jobs", receiver)
    nodes[0].wake("jobs")
    assert receiver.calls == 0


async def test_nobody_to_wake_is_no_mistake(nodes: tuple[Signals, Signals]) -> None:
    """Law 2."""
    nodes[0].wake("nobody is here")
    await asyncio.sleep(0.02)


@pytest.mark.parametrize("receiving", [0, 1])
async def test_many_wakes_become_few_calls(nodes: tuple[Signals, Signals], receiving: int) -> None:
    """Law 3."""
    receiver = Receiver()
    nodes[receiving].subscribe("jobs", receiver)
    for _ in range(1_000):
        nodes[0].wake("jobs")
    await eventually(lambda: receiver.calls > 0)
    await asyncio.sleep(0.05)
    assert receiver.calls < 10


@pytest.mark.parametrize("receiving", [0, 1])
async def test_the_last_of_many_wakes_has_a_call_after_it(
    nodes: tuple[Signals, Signals], receiving: int
) -> None:
    """Law 3: whoever looks at each call has seen the last state."""
    state, seen = 0, -1

    def look() -> None:
        nonlocal seen
        seen = state

    nodes[receiving].subscribe("jobs", look)
    for number in range(200):
        state = number
        nodes[0].wake("jobs")
        await asyncio.sleep(0)
    await eventually(lambda: seen == 199)


async def test_topics_do_not_mix(nodes: tuple[Signals, Signals]) -> None:
    jobs, other = Receiver(), Receiver()
    nodes[1].subscribe("jobs", jobs)
    nodes[1].subscribe("job", other)
    nodes[0].wake("jobs")
    await eventually(lambda: jobs.calls > 0)
    assert other.calls == 0


async def test_a_receiver_that_raises_keeps_no_other_from_being_called(
    nodes: tuple[Signals, Signals],
) -> None:
    """Law 5."""
    reported: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
    receiver = Receiver()

    def broken() -> None:
        raise RuntimeError("broken receiver")

    nodes[1].subscribe("jobs", broken)
    nodes[1].subscribe("jobs", receiver)
    nodes[0].wake("jobs")
    await eventually(lambda: receiver.calls > 0)
    assert [str(error) for error in reported] == ["broken receiver"]


async def test_a_wake_by_a_receiver_is_another_call() -> None:
    signals, receiver = MemorySignals(), Receiver()

    def again() -> None:
        receiver()
        if receiver.calls < 3:
            signals.wake("jobs")

    signals.subscribe("jobs", again)
    signals.wake("jobs")
    await eventually(lambda: receiver.calls == 3)


async def test_who_subscribes_later_is_not_told(nodes: tuple[Signals, Signals]) -> None:
    """Law 6."""
    nodes[0].wake("jobs")
    await asyncio.sleep(0.05)
    receiver = Receiver()
    nodes[1].subscribe("jobs", receiver)
    await asyncio.sleep(0.05)
    assert receiver.calls == 0
