"""Streamed chat through the gateway on one core: what it adds to the first token and each chunk.

`python -m infra.benchmarks.streams [--seconds S] [--per-second N]`: as many streams a second
through the gateway as straight to the provider, turn by turn, so that each is held against one of
the same moment. Each chunk says when the provider wrote it. Then the CPU time of a chunk: long
streams less short ones. Default settings, so every commit is synced; afterwards each stream must
have its charge.
"""

import argparse
import asyncio
import statistics
from collections.abc import Iterable

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
AT_ONCE = 20


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


async def cpu_us_of_a_chunk(subject: Subject) -> float:
    """The CPU time of long streams less that of short ones, for each chunk of the difference."""
    used = []
    for pace in (SHORT, LONG):
        before = subject.cpu_seconds
        await asyncio.gather(*(one(subject, pace) for _ in range(AT_ONCE)))
        used.append(subject.cpu_seconds - before)
    return (used[1] - used[0]) / (AT_ONCE * (LONG.chunks - SHORT.chunks)) * 1e6


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
    chunk_us = statistics.median([await cpu_us_of_a_chunk(through) for _ in range(3)])
    print(
        f"a chunk costs the gateway {chunk_us:.0f} µs CPU ({AT_ONCE} streams at once,"
        f" one every {LONG.gap_ms} ms)"
    )
    return warming + count + 3 * 2 * AT_ONCE


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
