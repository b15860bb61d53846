"""What nodes append together when a commit takes 2 ms, against the library's own recorder.

Run: `python -m infra.benchmarks.append_nodes [--nodes 4] [--in-flight 64] [--commit-ms 2]`. Every
node is a process; its appends are those of jobs: accepted with a hold, then completed and charged,
over accounts that are each node's own, and then over accounts that all nodes share. Beside them a
reader tails the log and must see every position once and in order. The library's recorder stands
behind the same group commit, and, as it is meant to be used, saves one event at a time.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from uuid import uuid4

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder

from adapters.codec.events import EventCodec
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.migrating import migrate
from adapters.postgres.recorder import Datastore
from adapters.store.group_thread import GroupThread, Worked
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.billing.events import CreditGranted
from domain.event import Event, system_origin
from domain.event_types import ALL_EVENTS
from domain.ids import Kind
from domain.ports.event_store import Append, StreamWrite
from infra.benchmarks.job_events import accepted, charged, completed
from infra.local.services import LocalPostgres, temporary_folder

ACCOUNTS = 20
CREDIT = 10**18
WARM_UP_SECONDS = 1.0
LIBRARY, LIBRARY_GROUPED = "library, one event a save", "library, group commit"
OURS, OURS_SHARED = "ours, accounts of each node", "ours, accounts of all nodes"
WAYS = (LIBRARY, LIBRARY_GROUPED, OURS, OURS_SHARED)
STATE = bytes(900)
SAVING_CONNECTIONS = 16
# How long each append took, and how many events there were.
Took = tuple[list[float], int]
# Every latency of a node, and its events a second.
Ran = tuple[list[float], float]
# Appends one job's events.
OneJob = Callable[[], Awaitable[Took]]


@dataclass(frozen=True)
class Measured:
    """What one way did."""

    events_per_second: float
    appends_per_second: float
    p50_ms: float
    p99_ms: float
    tail_ok: bool


async def one_job_of_ours(
    store: PostgresEventStore, ids: TimeOrderedIds, number: int, first_account: int
) -> Took:
    """Accepts and completes one job."""
    job_id = ids.new(Kind.JOB)
    charge = charged(job_id)
    account_id = f"acct_{first_account + number % ACCOUNTS:032x}"
    origin = system_origin(account_id, "bench", "bench")
    took = []
    for writes in (
        (StreamWrite(job_id, 0, (accepted(job_id, number),)),),
        (StreamWrite(job_id, 1, (completed(job_id),)), StreamWrite(charge.charge_id, 0, (charge,))),
    ):
        begun = time.perf_counter()
        await store.append(Append(origin, writes))
        took.append(time.perf_counter() - begun)
    return took, 3


def library(url: str, connections: int) -> PostgresApplicationRecorder:
    """The library's recorder as it comes."""
    datastore = Datastore(url, connections)
    recorder = PostgresApplicationRecorder(datastore, events_table_name="library_events")
    recorder.datastore.register_type_adapters()
    return recorder


def stored(count: int) -> list[StoredEvent]:
    stream = f"job_{uuid4().hex}"
    return [StoredEvent(stream, version, "some.event@1", STATE) for version in range(1, count + 1)]


async def library_node(url: str, way: str, seconds: float, in_flight: int) -> Ran:
    recorder = library(url, SAVING_CONNECTIONS if way == LIBRARY else 2)
    with closing(recorder.datastore):
        if way == LIBRARY:
            with ThreadPoolExecutor(in_flight) as pool:
                loop = asyncio.get_running_loop()

                async def save() -> Took:
                    begun = time.perf_counter()
                    await loop.run_in_executor(pool, recorder.insert_events, stored(1))
                    return [time.perf_counter() - begun], 1

                return await keep_busy(lambda _: save, seconds, in_flight)

        def save_all(groups: Sequence[list[StoredEvent]]) -> Worked[None]:
            recorder.insert_events([event for group in groups for event in group])
            return Worked([None] * len(groups))

        thread: GroupThread[list[StoredEvent], None] = GroupThread("library", 500, save_all)

        async def save_grouped() -> Took:
            took = []
            for count in (1, 2):
                begun = time.perf_counter()
                await thread.submit(stored(count))
                took.append(time.perf_counter() - begun)
            return took, 3

        try:
            return await keep_busy(lambda _: save_grouped, seconds, in_flight)
        finally:
            await thread.close()


async def our_node(url: str, seconds: float, in_flight: int, first_account: int) -> Ran:
    with closing(Datastore(url, 4)) as datastore:
        ids = TimeOrderedIds()
        store = PostgresEventStore(datastore, EventCodec(ALL_EVENTS), SystemClock(), ids)
        numbers = iter(range(10**9))
        try:
            return await keep_busy(
                lambda _: lambda: one_job_of_ours(store, ids, next(numbers), first_account),
                seconds,
                in_flight,
            )
        finally:
            await store.close()


async def keep_busy(jobs: Callable[[int], OneJob], seconds: float, in_flight: int) -> Ran:
    """Keeps so many in flight; the latencies after the warm-up, and the events a second."""
    took: list[float] = []
    events = 0
    begun = time.perf_counter()
    counted_from, until = begun + WARM_UP_SECONDS, begun + WARM_UP_SECONDS + seconds

    async def work(job: OneJob) -> None:
        nonlocal events
        while time.perf_counter() < until:
            times, count = await job()
            if counted_from <= time.perf_counter() < until:
                took.extend(times)
                events += count

    await asyncio.gather(*(work(jobs(number)) for number in range(in_flight)))
    return took, events / seconds


async def give_credit(url: str, accounts: int) -> None:
    with closing(Datastore(url, 2)) as datastore:
        ids = TimeOrderedIds()
        store = PostgresEventStore(datastore, EventCodec(ALL_EVENTS), SystemClock(), ids)
        for number in range(accounts):
            credit_id = ids.new(Kind.CREDIT)
            granted: Event = CreditGranted(
                credit_id=credit_id, bucket="purchased", picodollars=CREDIT, reason="bench"
            )
            origin = system_origin(f"acct_{number:032x}", "bench", "bench")
            await store.append(Append(origin, (StreamWrite(credit_id, 0, (granted,)),)))
        await store.close()


async def tail(url: str, writing: Callable[[], bool]) -> bool:
    """Follows the log by position while the nodes write; whether it saw every one, in order."""
    with closing(Datastore(url, 2)) as datastore:
        store = PostgresEventStore(
            datastore, EventCodec(ALL_EVENTS), SystemClock(), TimeOrderedIds()
        )
        position = first = await store.head()
        try:
            while writing() or position < await store.head():
                for entry in await store.read_log(position, 5_000):
                    if entry.position != position + 1:
                        print(f"position {entry.position} came after {position}")
                        return False
                    position = entry.position
                await asyncio.sleep(0.02)
        finally:
            await store.close()
    return position > first


def measure(url: str, way: str, asked: argparse.Namespace) -> Measured:
    """Runs the nodes of one way, and the reader beside ours."""
    arguments = [way, url, str(asked.seconds), str(asked.in_flight)]
    command = [sys.executable, "-m", "infra.benchmarks.append_nodes", "--node", *arguments]
    running = [
        subprocess.Popen(
            [*command, str(number * ACCOUNTS if way == OURS else 0)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(asked.nodes)
    ]
    followed = True
    with ThreadPoolExecutor(asked.nodes) as reading:  # so that no node waits to be read
        outputs = [reading.submit(node.communicate) for node in running]
        if way in (OURS, OURS_SHARED):
            followed = asyncio.run(tail(url, lambda: not all(one.done() for one in outputs)))
    took, events = [], 0.0
    for output in outputs:
        times, rate = json.loads(output.result()[0])
        took += times
        events += rate
    took.sort()
    return Measured(
        events,
        len(took) / asked.seconds,
        took[len(took) // 2] * 1000,
        took[len(took) * 99 // 100] * 1000,
        followed,
    )


def node(way: str, url: str, seconds: str, in_flight: str, first_account: str) -> None:
    """One node, in its own process."""
    if way in (OURS, OURS_SHARED):
        result = asyncio.run(our_node(url, float(seconds), int(in_flight), int(first_account)))
    else:
        result = asyncio.run(library_node(url, way, float(seconds), int(in_flight)))
    print(json.dumps(result))


def lines(results: dict[str, Measured]) -> Iterator[str]:
    baseline = results[LIBRARY].events_per_second
    yield f"{'':28} {'events/s':>9} {'ratio':>7} {'appends/s':>10} {'p50 ms':>7} {'p99 ms':>7}"
    for way, one in results.items():
        yield (
            f"{way:28} {one.events_per_second:9,.0f} {one.events_per_second / baseline:7.1f} "
            f"{one.appends_per_second:10,.0f} {one.p50_ms:7.1f} {one.p99_ms:7.1f}"
        )
    seen = results[OURS].tail_ok and results[OURS_SHARED].tail_ok
    yield f"a tailing reader saw every position, in order: {seen}"


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--commit-ms", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--node", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.node:
        node(*asked.node)
        return
    settings = {"commit_delay": str(round(asked.commit_ms * 1000)), "commit_siblings": "0"}
    with temporary_folder() as folder, LocalPostgres(folder / "pg", settings=settings) as server:
        migrate(server.url)
        made = library(server.url, 1)
        made.create_table()
        made.datastore.close()
        asyncio.run(give_credit(server.url, asked.nodes * ACCOUNTS))
        print(
            f"{asked.nodes} nodes, {asked.in_flight} in flight each, "
            f"commits of {asked.commit_ms:g} ms and more"
        )
        results = {way: measure(server.url, way, asked) for way in WAYS}
    print("\n".join(lines(results)))


if __name__ == "__main__":
    main()
