"""The cluster on one machine beside the embedded engine: jobs accepted, and one job end to end.

`python -m infra.benchmarks.cluster [--count N] [--in-flight N]`: one API node, one worker, one
projector and one relay as processes of their own, on real PostgreSQL (every commit synced), Kafka
and Redis, which share the machine's cores with the load and the mock provider. The embedded engine
is measured the same way in the same run; nothing is pinned.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from infra.benchmarks import accept, latency
from infra.benchmarks.http_load import Measured
from infra.benchmarks.subjects import (
    ADMIN_KEY,
    CORES,
    HOST,
    Subject,
    customer,
    process,
    start_mock_provider,
)
from infra.local.services import LocalKafka, LocalPostgres, LocalRedis, temporary_folder

NODES = (("api",), ("work",), ("project",), ("relay",))
SETTLE_SECONDS = 5.0


@contextlib.contextmanager
def cluster(folder: Path, upstream_port: int) -> Iterator[Subject]:
    """A cluster; the subject is its API node."""
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(LocalPostgres(folder / "postgres"))
        kafka = stack.enter_context(LocalKafka(folder / "kafka"))
        redis = stack.enter_context(LocalRedis(folder / "redis"))
        config = {
            **models(upstream_port),
            "profile": "cluster",
            "data_dir": str(folder / "data"),
            "master_key": base64.b64encode(os.urandom(32)).decode(),
            "postgres": {"url": postgres.url},
            "kafka": {"bootstrap_servers": kafka.bootstrap_servers, "replication_factor": 1},
            "redis": {"url": redis.url},
        }
        api, *_ = [stack.enter_context(node(folder, config, *role)) for role in NODES]
        time.sleep(SETTLE_SECONDS)  # groups form, topics are made
        yield Subject(*api, customer(api[1]))


@contextlib.contextmanager
def embedded(folder: Path, upstream_port: int) -> Iterator[Subject]:
    """The embedded engine."""
    config = {**models(upstream_port), "data_dir": str(folder / "data")}
    with node(folder, config, "serve") as (pid, port):
        yield Subject(pid, port, customer(port))


def models(upstream_port: int) -> dict[str, object]:
    offer = {"provider": "mock", "native_id": "mock", "input": "1.00", "output": "2.00"}
    return {
        "providers": {"mock": {"base_url": f"http://{HOST}:{upstream_port}/v1"}},
        "models": {"bench/chat": {"max_output_tokens": 4096, "offers": [offer]}},
    }


@contextlib.contextmanager
def node(folder: Path, config: dict[str, object], *role: str) -> Iterator[tuple[int, int]]:
    """One process; gives its id and port."""
    path = folder / "gatewayz.yaml"
    path.write_text(json.dumps(config))
    command = [sys.executable, "-m", "infra.main", *role, "--config", str(path), "--port", "0"]
    environment = {"GATEWAYZ_BOOTSTRAP_ADMIN_KEY": ADMIN_KEY}
    with process(command, set(CORES), **environment) as started:
        yield started


async def measured(subject: Subject, count: int, in_flight: int) -> tuple[Measured, Measured]:
    """The latencies of an idle subject, and then how many jobs it accepts."""
    done = await latency.jobs(subject, 200)
    return done, await accept.measure(subject, count, in_flight)


async def run(count: int, in_flight: int) -> None:
    """Prints both, one under the other."""
    port = await start_mock_provider(latency.DELAY)
    rates = {}
    for name, profile in (("embedded", embedded), ("cluster", cluster)):
        with temporary_folder() as folder:
            context = profile(folder, port)
            subject = await asyncio.to_thread(context.__enter__)
            try:
                done, accepted = await measured(subject, count, in_flight)
                rates[name] = accepted.per_second
                print(
                    f"{name:9} idle job beyond the provider: p50 {done.percentile_ms(0.5):6.1f} "
                    f"p99 {done.percentile_ms(0.99):6.1f} ms",
                    flush=True,
                )
                accept.report(f"{name:9} accepted durably", accepted, subject)
            finally:
                await asyncio.to_thread(context.__exit__, None, None, None)
    print(
        f"ratio of the cluster to the embedded engine: {rates['cluster'] / rates['embedded']:.2f}"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--count", type=int, default=10_000)
    arguments.add_argument("--in-flight", type=int, default=256)
    given = arguments.parse_args()
    uvloop.run(run(given.count, given.in_flight))


if __name__ == "__main__":
    main()
