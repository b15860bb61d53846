"""What the catalogue costs: the list of models, a search in it, a choice by a router.

`python -m infra.benchmarks.models [--count N]`: medians of one request after another, beside a read
that finds nothing on the same server; a choice is made in this process, among all models with a
published figure.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import uvloop

from domain.routing.classifier import difficulty
from domain.routing.priors import PRIORS
from domain.routing.routers import CallableModel, Mode, choose
from infra.benchmarks.http_load import connect, get
from infra.benchmarks.subjects import HOST, Subject, data_folder, gateway, pin_load

PROMPT = "Please look at this code and tell me what it does. " * 400
READS = {
    "a read that finds nothing": "/v1/jobs/none",
    "the models on sale": "/v1/models",
    "every model, on sale or not": "/v1/models?available=all",
    "a search in them": "/v1/models?available=all&search=claude",
}


async def reads(subject: Subject, path: str, count: int) -> float:
    """The median of so many reads, in milliseconds."""
    connection = await connect(HOST, subject.port)
    times = []
    for _ in range(count):
        started = time.perf_counter()
        await connection.request(get(path, subject.key))
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


def choices(count: int) -> float:
    """The median of so many choices by content, in milliseconds."""
    models = [CallableModel(id=name, price_picodollars=1_000_000) for name in PRIORS]

    def one() -> None:
        choose([PROMPT], Mode("code", "auto"), models)
        difficulty([PROMPT])

    return statistics.median(_timed(one) for _ in range(count)) * 1000


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


async def measure(subject: Subject, count: int) -> None:
    """Prints each."""
    for name, path in READS.items():
        await reads(subject, path, 3)  # what is made at the first use
        print(f"{name:<32}{await reads(subject, path, count):8.2f} ms", flush=True)
    print(f"{'a choice for a prompt of 20 kB':<32}{choices(count):8.2f} ms")


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=101)
    count = parser.parse_args().count
    pin_load()
    with data_folder() as folder, gateway(folder, None) as subject:
        uvloop.run(measure(subject, count))


if __name__ == "__main__":
    main()
