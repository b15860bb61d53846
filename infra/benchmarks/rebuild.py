"""How fast the read models are rebuilt from a stored log, against plain inserts.

Run: `python -m infra.benchmarks.rebuild [jobs] [postgres]`, on SQLite without the second. The log
is in SQLite and holds six events a job: accepted, started, completed, charged, webhook scheduled
and delivered. The baseline writes one small row an event with `executemany`, in transactions of
the same size and with the same settings. "Followed" is in the batches of the projector.
"""

import asyncio
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import psycopg
from sqlalchemy import Engine

from adapters.codec.events import EventCodec
from adapters.sql.engine import open_postgres, open_sqlite
from adapters.sql.read_models import SqlReadModels
from adapters.sqlite.event_store import SqliteEventStore
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.billing.events import CreditGranted
from domain.event import Origin
from domain.event_types import ALL_EVENTS
from domain.ports.event_store import Append, StreamWrite
from infra.benchmarks.job_events import job_writes
from infra.local.services import LocalPostgres, temporary_folder
from workers.projector import BATCH, rebuild

JOBS_PER_APPEND = 500
ACCOUNTS = 20
Work = Callable[[SqlReadModels, SqliteEventStore], Awaitable[None]]


async def _fill(store: SqliteEventStore, jobs: int) -> None:
    for account in range(ACCOUNTS):
        origin = Origin(f"acct_{account}", "key", "key_1", "req_1")
        grant = CreditGranted(
            credit_id=f"crd_{account}", bucket="purchased", picodollars=10**15, reason="benchmark"
        )
        await store.append(Append(origin, (StreamWrite(grant.credit_id, 0, (grant,)),)))
    numbers = iter(range(jobs))
    for turn, chunk in enumerate(_chunks(numbers)):
        origin = Origin(f"acct_{turn % ACCOUNTS}", "key", "key_1", "req_1")
        writes = tuple(write for number in chunk for write in job_writes(number))
        await store.append(Append(origin, writes))


def _chunks(numbers: Iterator[int]) -> Iterator[list[int]]:
    while chunk := list(islice(numbers, JOBS_PER_APPEND)):
        yield chunk


def _baseline(path: Path, events: int) -> float:
    """Events per second of plain inserts."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE rows (position INTEGER PRIMARY KEY, id TEXT, body TEXT)")
    body = "x" * 200
    began = time.perf_counter()
    for start in range(0, events, BATCH):
        rows = [(n, f"job_{n:032x}", body) for n in range(start, min(start + BATCH, events))]
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
    took = time.perf_counter() - began
    connection.close()
    return events / took


def _postgres_baseline(url: str, events: int) -> float:
    """Events per second of plain inserts."""
    body = "x" * 200
    with psycopg.connect(url, options="-c synchronous_commit=off") as connection:
        connection.execute("CREATE TABLE rows (position bigint PRIMARY KEY, id text, body text)")
        began = time.perf_counter()
        for start in range(0, events, BATCH):
            rows = [(n, f"job_{n:032x}", body) for n in range(start, min(start + BATCH, events))]
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany("INSERT INTO rows VALUES (%s, %s, %s)", rows)
        return events / (time.perf_counter() - began)


async def _rebuild(read_models: SqlReadModels, store: SqliteEventStore) -> None:
    failed = await rebuild(read_models, store, list(read_models.projections))
    assert not failed, failed


async def _follow(read_models: SqlReadModels, store: SqliteEventStore) -> None:
    generations = [await read_models.build(name) for name in read_models.projections]
    position = 0
    while entries := await store.read_log(position, BATCH):
        await read_models.apply(generations, entries)
        position = entries[-1].position


async def _measured(
    work: Work, read_models: SqlReadModels, store: SqliteEventStore
) -> tuple[float, float]:
    """Events per second by the clock, and by the processor time of this process."""
    began, began_cpu = time.perf_counter(), time.process_time()
    await work(read_models, store)
    took, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    events = await store.head()
    return events / took, events / cpu


async def _report(engine: Engine, store: SqliteEventStore, plain: float) -> None:
    read_models = SqlReadModels(engine)
    await read_models.prepare()
    print(f"plain inserts      {plain:>10,.0f} rows/s")
    for name, work in (("rebuild", _rebuild), ("followed", _follow)):
        by_clock, by_core = await _measured(work, read_models, store)
        print(f"{name:<18} {by_clock:>10,.0f} events/s ({by_clock / plain:.2f} of plain)")
        print(f"{name + ', per core':<18} {by_core:>10,.0f} events/s")
    await read_models.close()


async def main(jobs: int, database: str) -> None:
    """Prints the figures."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        store = SqliteEventStore(
            folder / "events.db", EventCodec(ALL_EVENTS), SystemClock(), TimeOrderedIds(), "process"
        )
        await _fill(store, jobs)
        events = await store.head()
        print(
            f"log                {events:>10,} events, {jobs:,} jobs, all read models, {database}"
        )
        if database == "postgres":
            url = stack.enter_context(LocalPostgres(folder / "postgres")).url
            await _report(open_postgres(url), store, _postgres_baseline(url, events))
        else:
            plain = _baseline(folder / "plain.db", events)
            await _report(open_sqlite(folder / "read_models.db"), store, plain)
        await store.close()


if __name__ == "__main__":
    count = next((int(one) for one in sys.argv[1:] if one.isdigit()), 50_000)
    asyncio.run(main(count, "postgres" if "postgres" in sys.argv[1:] else "sqlite"))
