"""What a rate-limit check costs: in memory, in Redis, and with Redis as good as gone.

`python -m infra.benchmarks.limits`, with a Redis of its own on this machine. The baseline is the
smallest round trip that the same client makes on the same pool, a PING.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import uvloop
from redis.asyncio import Redis

from adapters.memory.limits import MemoryLimits
from adapters.redis.connection import RedisConnection
from adapters.redis.limits import RedisLimits
from adapters.redis.ports import redis_ports
from adapters.system.clock import SystemClock
from domain.ports.limits import Limit, Limits
from domain.ports.stream_buffers import BufferBounds
from infra.local.services import LocalRedis, temporary_folder

CALLS = 10_000
KEYS = 500
# A minute's counter that is in use has something in each of its parts: the dearest case.
LIMIT = Limit(1_000_000_000, 2)
PATIENCE_SECONDS = 5.0
Call = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one way at one concurrency: seconds of each call, and CPU seconds of this process."""

    elapsed: float
    processor: float
    calls: list[float]


async def measure(call: Call, concurrency: int) -> Cost:
    """Calls again and again with so many at a time."""
    calls: list[float] = []

    async def caller(first: int) -> None:
        for number in range(first, CALLS, concurrency):
            begun = time.perf_counter()
            await call(number)
            calls.append(time.perf_counter() - begun)

    begun, processor = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller(first) for first in range(concurrency)))
    return Cost(time.perf_counter() - begun, time.process_time() - processor, calls)


async def server_seconds(client: Redis) -> float:
    """CPU seconds that the server has used."""
    info: Any = await client.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


def taking(limits: Limits) -> Call:
    return lambda number: limits.take(f"key_{number % KEYS}", LIMIT)


async def run(url: str) -> None:
    """Prints a line for each way and concurrency."""
    connection = RedisConnection(url, timeout_seconds=PATIENCE_SECONDS)
    clock = SystemClock()
    async with connection.pool(32) as client:
        await compare("memory", taking(MemoryLimits(clock)), client)
        await compare("PING", lambda _: client.ping(), client)
        await compare("Redis", taking(RedisLimits(client, "bench")), client)
        async with redis_ports(connection, clock, report, BufferBounds()) as ports:
            await compare("Redis with fallback", taking(ports.limits), client)
    gone = RedisConnection("redis://127.0.0.1:1")
    async with connection.pool(1) as client, redis_ports(gone, clock, report, BufferBounds()) as p:
        await compare("fallback, degraded", taking(p.limits), client)


async def compare(name: str, call: Call, client: Redis) -> None:
    """One way at each concurrency."""
    for concurrency in (1, 64):
        before = await server_seconds(client)
        cost = await measure(call, concurrency)
        server = await server_seconds(client) - before
        milliseconds = sorted(1000 * seconds for seconds in cost.calls)
        print(
            f"{name:20} {concurrency:3} at once {CALLS / cost.elapsed:9,.0f}/s"
            f"   {cost.processor / CALLS * 1e6:6.1f} µs here {server / CALLS * 1e6:5.1f} µs there"
            f"   p50 {statistics.median(milliseconds):6.3f} ms"
            f"   p99 {milliseconds[len(milliseconds) * 99 // 100]:6.3f} ms",
            flush=True,
        )


def report(helper: str, reason: str | None) -> None:
    """Says that a figure is of something else."""
    if reason is not None:
        print(f"  {helper} degraded: {reason}")


def main() -> None:
    if reason := LocalRedis.available():
        sys.exit(f"not measured: {reason}")
    with temporary_folder() as folder, LocalRedis(folder / "redis") as server:
        uvloop.run(run(server.url))


if __name__ == "__main__":
    main()
