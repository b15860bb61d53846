"""How long an idle engine takes for one job beyond the provider's own time.

`python -m infra.benchmarks.latency [--count N]`: submit, then long-poll, one job after another;
the provider answers after 50 ms. Printed are the times over those 50 ms, beside a bare HTTP
round trip to the same server.
"""

import argparse
import asyncio
import time

import msgspec
import uvloop

from infra.benchmarks.http_load import Measured, connect, get, post
from infra.benchmarks.subjects import (
    HOST,
    Subject,
    data_folder,
    gateway,
    job_body,
    pin_load,
    start_mock_provider,
)

DELAY = 0.05


async def jobs(subject: Subject, count: int) -> Measured:
    """Submits and awaits jobs one by one; the latencies are without the provider's delay."""
    connection = await connect(HOST, subject.port)
    measured = Measured(0.0)
    for number in range(count + 20):
        started = time.perf_counter()
        _, body = await connection.request(post("/v1/jobs", subject.key, job_body("bench/chat")))
        job_id = msgspec.json.decode(body)["id"]
        status, body = await connection.request(get(f"/v1/jobs/{job_id}?wait=10", subject.key))
        if msgspec.json.decode(body)["status"] != "succeeded":
            raise RuntimeError(body.decode())
        if number >= 20:
            measured.latencies.append(time.perf_counter() - started - DELAY)
            measured.statuses[status] += 1
    return measured


async def round_trips(subject: Subject, count: int) -> Measured:
    """One small read after another."""
    connection = await connect(HOST, subject.port)
    measured = Measured(0.0)
    for _ in range(count):
        started = time.perf_counter()
        status, _ = await connection.request(get("/v1/jobs/none", subject.key))
        measured.latencies.append(time.perf_counter() - started)
        measured.statuses[status] += 1
    return measured


async def measure(count: int) -> None:
    """Prints both."""
    port = await start_mock_provider(DELAY)
    with data_folder() as folder:
        subject = await asyncio.to_thread(_entered, context := gateway(folder, port))
        try:
            bare = await round_trips(subject, count)
            done = await jobs(subject, count)
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)
    for name, measured in (("one HTTP round trip", bare), ("job, beyond the provider", done)):
        print(
            f"{name:28} p50 {measured.percentile_ms(0.5):6.2f} ms   "
            f"p99 {measured.percentile_ms(0.99):6.2f} ms"
        )
    print(f"ratio: {done.percentile_ms(0.5) / bare.percentile_ms(0.5):.1f} round trips")


def _entered(context: object) -> Subject:
    subject: Subject = context.__enter__()  # type: ignore[attr-defined]
    return subject


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=300)
    pin_load()
    uvloop.run(measure(arguments.parse_args().count))


if __name__ == "__main__":
    main()
