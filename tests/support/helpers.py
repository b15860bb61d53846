"""The helpers on memory and on Redis, for the tests of their laws and of their fallback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from adapters.redis.connection import RedisConnection
from adapters.redis.ports import RedisPorts, redis_ports
from adapters.system.clock import SystemClock
from domain.governance.helpers import Helper
from domain.ports.signals import Signals
from domain.ports.stream_buffers import BufferBounds

# Far above what a loaded machine needs, except where a test is about patience.
UNHURRIED_SECONDS = 5.0
STEP_SECONDS = 0.01
BOUNDS = BufferBounds(chunks=10, total_bytes=100, expiry_seconds=30)


@dataclass
class Node:
    """The helpers of one node, and the changes it told of."""

    ports: RedisPorts
    changes: list[tuple[Helper, str | None]] = field(default_factory=list)

    async def until(self, state: str, *helpers: Helper) -> None:
        """Returns once these helpers are in this state."""
        await eventually(lambda: all(self.ports.states()[name] == state for name in helpers))


@asynccontextmanager
async def node(
    url: str, bounds: BufferBounds = BOUNDS, timeout_seconds: float = UNHURRIED_SECONDS
) -> AsyncIterator[Node]:
    """A node whose helpers run."""
    connection = RedisConnection(url, timeout_seconds=timeout_seconds, first_retry_seconds=0.05)
    changes: list[tuple[Helper, str | None]] = []

    def changed(helper: Helper, reason: str | None) -> None:
        changes.append((helper, reason))

    async with redis_ports(connection, SystemClock(), changed, bounds) as ports:
        running = asyncio.create_task(ports.run())
        try:
            yield Node(ports, changes)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def carried(waking: Signals, receiving: Signals) -> None:
    """Returns once signals go this way: a node may need a moment to connect."""
    called = asyncio.Event()
    receiving.subscribe("carried", called.set)
    async with asyncio.timeout(10):
        while not called.is_set():
            waking.wake("carried")
            await asyncio.sleep(0.01)


async def eventually(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Returns once `holds`. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)


async def in_seconds(work: Awaitable[object]) -> float:
    """How long it waits, in a clock's steps of `STEP_SECONDS`.

    The clock stands while this process gets no turn, so that a loaded machine adds little.
    """
    working = asyncio.ensure_future(work)
    steps = 0
    while not working.done():
        await asyncio.wait({working}, timeout=STEP_SECONDS)
        steps += 1
    await working
    return steps * STEP_SECONDS
