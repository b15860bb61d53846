"""How many jobs a second are completed on one core, 500 in flight, the provider at 50 ms.

`python -m infra.benchmarks.complete [--count N] [--in-flight N] [--delay S]`. A backlog is
accepted first; then the engine is started with all its slots and the time until the queue is
empty is taken: lease, start, call over HTTP, completion, charge, read models, every commit
synced. The baseline is the same HTTP client calling the same provider and recording nothing.
"""

import argparse
import asyncio
import os
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import aiohttp
import uvloop

from infra.benchmarks.http_load import post, run_load
from infra.benchmarks.subjects import (
    HOST,
    LOAD_CORE,
    SUBJECT_CORE,
    Subject,
    data_folder,
    gateway,
    job_body,
    pin_load,
    process,
    start_mock_provider,
)

POLL_SECONDS = 0.05
MOST_SECONDS = 300


async def fill(subject: Subject, count: int) -> None:
    """Submits the backlog."""
    raw = post("/v1/jobs", subject.key, job_body("bench/chat"))
    await run_load(HOST, subject.port, count, 128, lambda _: raw)


def waiting(folder: Path) -> int:
    """How many jobs are not done, read beside the engine."""
    path = f"file:{folder}/data/events.db?mode=ro"
    with closing(sqlite3.connect(path, uri=True)) as database:
        count: int = database.execute("SELECT COUNT(*) FROM work").fetchone()[0]
        return count


async def drain(folder: Path) -> tuple[float, int]:
    """Completed jobs a second over the middle of the backlog, and how many that was."""
    total = waiting(folder)
    started, first = time.perf_counter(), total
    while (left := waiting(folder)) > 0:
        if time.perf_counter() - started > MOST_SECONDS:
            raise TimeoutError(f"{left} of {total} jobs are not done")
        if first == total and left < total:
            started, first = time.perf_counter(), left
        await asyncio.sleep(POLL_SECONDS)
    return first / (time.perf_counter() - started), first


async def direct_calls(port: int, count: int, in_flight: int) -> float:
    """Calls a second of the bare client at the provider."""
    todo = iter(range(count))
    body = job_body("mock")
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def worker() -> None:
            for _ in todo:
                url = f"http://{HOST}:{port}/v1/chat/completions"
                async with session.post(url, data=body) as reply:
                    await reply.read()

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        return count / (time.perf_counter() - started)


def serve_mock(delay: float) -> None:
    """Runs the mock provider until it is stopped; prints where."""

    async def forever() -> None:
        print(f"http://{HOST}:{await start_mock_provider(delay)}", flush=True)
        await asyncio.Event().wait()

    uvloop.run(forever())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=10_000)
    arguments.add_argument("--in-flight", type=int, default=500)
    arguments.add_argument("--delay", type=float, default=0.05)
    arguments.add_argument("--serve-mock", action="store_true")
    given = arguments.parse_args()
    if given.serve_mock:
        serve_mock(given.delay)
    else:
        run(given)


def run(given: argparse.Namespace) -> None:
    """Runs baseline and engine against one mock provider and prints both."""
    command = [sys.executable, "-m", __spec__.name, "--serve-mock", "--delay", str(given.delay)]
    with process(command, {LOAD_CORE}) as (_, upstream), data_folder() as folder:
        os.sched_setaffinity(0, {SUBJECT_CORE})
        bare = uvloop.run(direct_calls(upstream, given.count, given.in_flight))
        print(f"bare client, nothing recorded {bare:8.0f}/s")
        pin_load()
        with gateway(folder, upstream, GATEWAYZ_DISPATCH__CONCURRENCY="1") as subject:
            uvloop.run(fill(subject, given.count))
        slots = {
            "GATEWAYZ_DISPATCH__CONCURRENCY": str(given.in_flight),
            "GATEWAYZ_DISPATCH__PER_ACCOUNT": str(given.in_flight),
        }
        with gateway(folder, upstream, **slots) as subject:
            before = subject.cpu_seconds
            rate, count = uvloop.run(drain(folder))
            cpu_us = (subject.cpu_seconds - before) / count * 1e6
            print(
                f"jobs completed                {rate:8.0f}/s   {cpu_us:5.0f} µs CPU a job   "
                f"{subject.memory_mb:5.0f} MB"
            )
    print(f"ratio to the bare client: {rate / bare:.2f}")


if __name__ == "__main__":
    main()
