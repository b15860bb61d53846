"""How soon a key that is revoked at one API node stops at every node.

`python -m infra.benchmarks.revocation [--count N]`: three API nodes on one PostgreSQL (every commit
synced), a key in use a hundred times a second at each, revoked at one of them in turn; with Redis,
whose signals wake the other nodes, and without it, when they look by themselves. Printed is the
time from the request that revokes to the last answer by which any node let the key in.
"""

import argparse
import asyncio
import base64
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import uvloop

from infra.benchmarks.cluster import node
from infra.benchmarks.http_load import Measured, connect, get, post
from infra.benchmarks.subjects import HOST, customer
from infra.local.machine import free_port
from infra.local.services import LocalPostgres, LocalRedis, temporary_folder

API_NODES = 3
USES_PER_SECOND = 100
USED_SECONDS = 0.2
# A node has stopped letting a key in when it has refused it so often in a row.
REFUSALS = 10
# Needs a key, and nothing else: 404 with one that is valid.
USE = "/v1/models/none"


async def last_use_after_revocation(ports: Sequence[int], owner_key: str, at: int) -> float:
    """Makes a key, uses it at all nodes and revokes it at one; seconds until none lets it in."""
    owner = await connect(HOST, ports[at])
    made = msgspec.json.decode(
        (await owner.request(post("/v1/keys", owner_key, b'{"name": "in use"}')))[1]
    )
    uses = [asyncio.create_task(_use(port, made["api_key"])) for port in ports]
    await asyncio.sleep(USED_SECONDS)
    asked = time.perf_counter()
    path = f"/v1/keys/{made['key']['id']}/revoke"
    status, body = await owner.request(post(path, owner_key, b""))
    if status != 200:
        raise RuntimeError(body.decode())
    owner.close()
    async with asyncio.timeout(30):
        return max(0.0, max(await asyncio.gather(*uses)) - asked)


async def _use(port: int, key: str) -> float:
    """Uses a key until it is refused for good; when it was let in last."""
    connection, raw = await connect(HOST, port), get(USE, key)
    let_in_at = refusals = 0.0
    while refusals < REFUSALS:
        status, _ = await connection.request(raw)
        if status == 401:
            refusals += 1
        else:
            let_in_at, refusals = time.perf_counter(), 0
        await asyncio.sleep(1 / USES_PER_SECOND)
    connection.close()
    if not let_in_at:
        raise RuntimeError("the key was never let in")
    return let_in_at


async def measure(ports: Sequence[int], owner_key: str, count: int) -> Measured:
    """So many revocations, at each node in turn."""
    started = time.perf_counter()
    latencies = [
        await last_use_after_revocation(ports, owner_key, number % len(ports))
        for number in range(count)
    ]
    return Measured(time.perf_counter() - started, latencies=latencies)


@contextlib.contextmanager
def api_nodes(folder: Path, postgres: LocalPostgres, redis: LocalRedis) -> Iterator[list[int]]:
    """Three nodes that serve customers; they need no Kafka. Gives their ports."""
    config: dict[str, object] = {
        "profile": "cluster",
        "data_dir": str(folder / "data"),
        "master_key": base64.b64encode(os.urandom(32)).decode(),
        "postgres": {"url": postgres.url},
        "kafka": {"bootstrap_servers": f"{HOST}:{free_port()}"},
        "redis": {"url": redis.url},
        "logging": {"level": "error"},  # nobody projects here
    }
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(node(folder, config, "api"))[1] for _ in range(API_NODES)]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--count", type=int, default=50)
    count = arguments.parse_args().count
    with (
        temporary_folder() as folder,
        LocalPostgres(folder / "postgres") as postgres,
        LocalRedis(folder / "redis") as redis,
        api_nodes(folder, postgres, redis) as ports,
    ):
        owner_key = customer(ports[0])
        report("with Redis", uvloop.run(measure(ports, owner_key, count)))
        redis.kill()
        report("without Redis", uvloop.run(measure(ports, owner_key, count)))


def report(name: str, measured: Measured) -> None:
    """One line of the result."""
    print(
        f"revoked, {name:14} p50 {measured.percentile_ms(0.5):6.1f} ms   "
        f"p99 {measured.percentile_ms(0.99):6.1f} ms   "
        f"longest {max(measured.latencies) * 1000:6.1f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main()
