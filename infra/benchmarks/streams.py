"""Streamed chat through the gateway on one core: what it adds to the first token and each chunk.

`python -m infra.benchmarks.streams [--seconds S] [--per-second N]`: as many streams a second
through the gateway as straight to the provider, turn by turn, so that each is held against one of
the same moment. Each chunk says when the provider wrote it. Then the CPU time of a chunk: long
streams less short ones, and less what an idle gateway uses; once where the chunks of many streams
come together, and once where each comes when nothing else does. Default settings, so every commit
is synced; afterwards each stream must have its charge.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Iterable

import uvloop

from infra.benchmarks.charges import require_charges
from infra.benchmarks.chat_mock import Pace, chat_body, chat_mock
from infra.benchmarks.http_load import post
from infra.benchmarks.stream_load import Streamed, stream
from infra.benchmarks.subjects import HOST, Subject, data_folder, gateway, pin_load

PATH = "/v1/chat/completions"
PACE = Pace(chunks=20, gap_ms=20)
# For the CPU time of a chunk.
SHORT, LONG = Pace(chunks=10, gap_ms=10), Pace(chunks=210, gap_ms=10)
TOGETHER, APART = 20, 2
IDLE_SECONDS = 1.0
ROUNDS = 3


async def one(subject: Subject, pace: Pace) -> Streamed:
    """One stream at this pace."""
    raw = post(PATH, subject.key or "none", chat_body("bench/chat", pace))
    return await stream(HOST, subject.port, raw, pace.chunks)


async def open_loop(
    direct: Subject, through: Subject, count: int, per_second: float
) -> list[tuple[Streamed, Streamed]]:
    """Pairs of streams (direct, through), begun at fixed times whatever the earlier ones do."""
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async def at(number: float, subject: Subject) -> Streamed:
        await asyncio.sleep(begun + number / per_second - loop.time())
        return await one(subject, PACE)

    tasks = (
        asyncio.gather(at(number, direct), at(number + 0.5, through)) for number in range(count)
    )
    return [(first, second) for first, second in await asyncio.gather(*tasks)]


def cpu_seconds(subject: Subject) -> float:
    """CPU time that the process has used, finer than its clock ticks (Linux)."""
    return time.clock_gettime(~subject.pid << 3 | 2)


async def cpu_us_of_a_chunk(subject: Subject, streams: int, apart_ms: float) -> float:
    """The CPU time of long streams less that of short ones, for each chunk of the difference."""

    async def after(seconds: float, pace: Pace) -> None:
        await asyncio.sleep(seconds)
        await one(subject, pace)

    idle = await _used(subject, asyncio.sleep(IDLE_SECONDS), 0.0) / IDLE_SECONDS
    used = []
    for pace in (SHORT, LONG):
        running = [after(number * apart_ms / 1000, pace) for number in range(streams)]
        used.append(await _used(subject, asyncio.gather(*running), idle))
    return (used[1] - used[0]) / (streams * (LONG.chunks - SHORT.chunks)) * 1e6


async def _used(subject: Subject, load: Awaitable[object], idle: float) -> float:
    """The CPU seconds that a load takes beyond those of an idle gateway."""
    before, begun = cpu_seconds(subject), time.monotonic()
    await load
    return cpu_seconds(subject) - before - idle * (time.monotonic() - begun)


def percentiles(figures: Iterable[float]) -> str:
    """Median, 95th and 99th percentile."""
    cuts = statistics.quantiles(figures, n=100, method="inclusive")
    return f"p50 {cuts[49]:6.2f} ms   p95 {cuts[94]:6.2f} ms   p99 {cuts[98]:6.2f} ms"


def report(name: str, streams: list[Streamed]) -> None:
    """What one way of the pairs came to."""
    delays = [delay for one in streams for delay in one.delays_ms]
    gaps = [gap for one in streams for gap in one.gaps_ms]
    chunks = sum(len(one.arrived_at) for one in streams)
    together = chunks - sum(one.reads for one in streams)
    print(f"{name}:")
    print(f"  first token                {percentiles(one.first_ms for one in streams)}")
    print(f"  a later chunk on its way   {percentiles(delays)}")
    print(f"  between chunks ({PACE.gap_ms} ms sent)  {percentiles(gaps)}")
    print(f"  chunks that came together with another: {together} of {chunks}")


def report_added(pairs: list[tuple[Streamed, Streamed]]) -> None:
    """The differences within pairs."""
    first = (through.first_ms - direct.first_ms for direct, through in pairs)
    later = (
        through - direct
        for one, other in pairs
        for direct, through in zip(one.delays_ms, other.delays_ms, strict=True)
    )
    print("added by the gateway:")
    print(f"  to the first token         {percentiles(first)}")
    print(f"  to a later chunk           {percentiles(later)}")


async def measure(direct: Subject, through: Subject, given: argparse.Namespace) -> int:
    """Prints everything; how many streams went through the gateway."""
    per_second: float = given.per_second
    warming = round(per_second)
    await open_loop(direct, through, warming, per_second)
    count: int = round(given.seconds * per_second)
    before = through.cpu_seconds
    pairs = await open_loop(direct, through, count, per_second)
    cpu = (through.cpu_seconds - before) / given.seconds
    print(
        f"{per_second} streams/s of {PACE.chunks} chunks each way; the gateway used {cpu:.0%} of"
        f" its core, {through.memory_mb:.0f} MB"
    )
    report("straight from the provider", [one for one, _ in pairs])
    report("through the gateway", [one for _, one in pairs])
    report_added(pairs)
    for name, subject in (
        ("the gateway", through),
        ("the provider, which only writes it,", direct),
    ):
        together = await _median_us(subject, TOGETHER, 0)
        apart = await _median_us(subject, APART, LONG.gap_ms / APART)
        print(
            f"a chunk costs {name} {together:.0f} µs CPU where {TOGETHER} come together, and"
            f" {apart:.0f} µs where each comes alone"
        )
    return warming + count + ROUNDS * 2 * (TOGETHER + APART)


async def _median_us(subject: Subject, streams: int, apart_ms: float) -> float:
    rounds = [await cpu_us_of_a_chunk(subject, streams, apart_ms) for _ in range(ROUNDS)]
    return statistics.median(rounds)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--per-second", type=float, default=50)
    given = arguments.parse_args()
    pin_load()
    with chat_mock() as mock, data_folder() as folder:
        with gateway(folder, mock.port) as subject:
            answered = uvloop.run(measure(mock, subject, given))
        require_charges(folder, answered)


if __name__ == "__main__":
    main()
