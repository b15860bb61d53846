"""How fast the read models are rebuilt from a stored log, against plain SQLite inserts.

Run: `python -m infra.benchmarks.rebuild [jobs]`. The log holds six events a job: accepted,
started, completed, charged, webhook scheduled and delivered. The baseline writes one small row
an event with `executemany`, in transactions of the same size and with the same settings.
"""

import asyncio
import sqlite3
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.codec.events import EventCodec
from adapters.sql.engine import open_sqlite
from adapters.sql.read_models import SqlReadModels
from adapters.sqlite.event_store import SqliteEventStore
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.billing.events import CreditGranted
from domain.event import Origin
from domain.event_types import ALL_EVENTS
from domain.ports.event_store import Append, StreamWrite
from infra.benchmarks.job_events import job_writes
from workers.projector import BATCH, rebuild

EVENTS_PER_JOB = 6
JOBS_PER_APPEND = 500
ACCOUNTS = 20


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


async def _rebuild(folder: Path, store: SqliteEventStore) -> tuple[float, float]:
    """Events per second by the clock, and by the processor time of this process."""
    read_models = SqlReadModels(open_sqlite(folder / "read_models.db"))
    began, began_cpu = time.perf_counter(), time.process_time()
    failed = await rebuild(read_models, store, list(read_models.projections))
    took, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    await read_models.close()
    assert not failed, failed
    events = await store.head()
    return events / took, events / cpu


async def main(jobs: int) -> None:
    """Prints the figures."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        store = SqliteEventStore(
            folder / "events.db", EventCodec(ALL_EVENTS), SystemClock(), TimeOrderedIds(), "process"
        )
        await _fill(store, jobs)
        events = await store.head()
        plain = _baseline(folder / "plain.db", events)
        by_clock, by_core = await _rebuild(folder, store)
        await store.close()
    print(f"log                {events:>10,} events, {jobs:,} jobs, all read models")
    print(f"plain inserts      {plain:>10,.0f} rows/s")
    print(f"rebuild            {by_clock:>10,.0f} events/s ({by_clock / plain:.2f} of plain)")
    print(f"rebuild, per core  {by_core:>10,.0f} events/s")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000))
