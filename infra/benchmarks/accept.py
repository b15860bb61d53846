"""How many jobs a second are accepted durably on one core, at 256 in flight.

`python -m infra.benchmarks.accept [--count N] [--in-flight N]`: durability, holds and billing on
(default settings, every commit synced). The jobs also run while they are accepted, on the
simulator. Prints the ratio against the same web stack that records nothing.
"""

import argparse

import uvloop

from infra.benchmarks.http_load import Measured, post, run_load
from infra.benchmarks.subjects import (
    HOST,
    Subject,
    bare_server,
    data_folder,
    gateway,
    job_body,
    pin_load,
)


async def measure(subject: Subject, count: int, in_flight: int) -> Measured:
    """Submits `count` jobs."""
    raw = post("/v1/jobs", subject.key or "none", job_body("simulator/slow"))
    await run_load(HOST, subject.port, count // 10, in_flight, lambda _: raw)
    before = subject.cpu_seconds
    measured = await run_load(HOST, subject.port, count, in_flight, lambda _: raw)
    measured.cpu_seconds = subject.cpu_seconds - before
    return measured


def report(name: str, measured: Measured, subject: Subject) -> None:
    """One line of the result."""
    print(
        f"{name:28} {measured.per_second:8.0f}/s   p50 {measured.percentile_ms(0.5):6.1f} ms   "
        f"p99 {measured.percentile_ms(0.99):6.1f} ms   {measured.cpu_us:5.0f} µs CPU   "
        f"{subject.memory_mb:5.0f} MB   "
        f"{dict(measured.statuses)}"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=20_000)
    arguments.add_argument("--in-flight", type=int, default=256)
    given = arguments.parse_args()
    pin_load()
    with bare_server() as subject:
        bare = uvloop.run(measure(subject, given.count, given.in_flight))
        report("same stack, nothing recorded", bare, subject)
    with data_folder() as folder, gateway(folder, GATEWAYZ_DISPATCH__CONCURRENCY="1") as subject:
        accepted = uvloop.run(measure(subject, given.count, given.in_flight))
        report("jobs accepted durably", accepted, subject)
    with data_folder() as folder, gateway(folder) as subject:
        running = uvloop.run(measure(subject, given.count, given.in_flight))
        report("…while 500 of them run", running, subject)
    print(f"ratio to the bare stack: {accepted.per_second / bare.per_second:.2f}")


if __name__ == "__main__":
    main()
