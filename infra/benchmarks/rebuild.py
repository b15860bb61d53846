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
from domain.billing.events import ChargeRecorded, CreditGranted, Dimension, RatingLine
from domain.event import Origin
from domain.event_types import ALL_EVENTS
from domain.ids import charge_id
from domain.inference.events import (
    AttemptRecord,
    JobAccepted,
    JobCompleted,
    JobStarted,
    OfferRef,
    Usage,
)
from domain.ports.event_store import Append, StreamWrite
from domain.sealed import Sealed
from domain.webhooks.events import DeliveryAttempted, DeliveryScheduled
from workers.projector import BATCH, rebuild

EVENTS_PER_JOB = 6
JOBS_PER_APPEND = 500
ACCOUNTS = 20
COST = 20_000_000
SEALED = Sealed(key_id="dk_1", context="job", size=800, inline=bytes(828))
USAGE = Usage(input_tokens=10, output_tokens=5)


def _job(number: int) -> tuple[StreamWrite, ...]:
    job_id, delivery_id = f"job_{number:032x}", f"whd_{number:032x}"
    started = JobStarted(job_id=job_id, lease_id="lease_1", worker_id="w1", lease_until=1)
    charge = _charge(job_id)
    return (
        StreamWrite(job_id, 0, (_accepted(job_id, number), started, _completed(job_id))),
        StreamWrite(charge.charge_id, 0, (charge,)),
        StreamWrite(delivery_id, 0, _delivery(delivery_id, job_id)),
    )


def _accepted(job_id: str, number: int) -> JobAccepted:
    return JobAccepted(
        job_id=job_id,
        endpoint="/v1/chat/completions",
        model="acme/alpha",
        requested_model="alpha",
        lane="standard",
        offers=(OfferRef(provider="h1", native_id="alpha"),),
        price_version="pb_1",
        hold_picodollars=COST,
        estimated_input_tokens=10,
        max_output_tokens=100,
        input=SEALED,
        input_hash="0" * 64,
        metadata={"team": "research"} if number % 10 == 0 else {},
    )


def _charge(job_id: str) -> ChargeRecorded:
    return ChargeRecorded(
        charge_id=charge_id(job_id),
        job_id=job_id,
        model="acme/alpha",
        provider="h1",
        native_id="alpha",
        usage=USAGE,
        price_version="pb_1",
        lines=(_line("input", 10, 1_000_000), _line("output", 5, 2_000_000)),
        picodollars=COST,
    )


def _line(dimension: Dimension, quantity: int, unit: int) -> RatingLine:
    return RatingLine(
        dimension=dimension,
        quantity=quantity,
        picodollars_per_unit=unit,
        picodollars=quantity * unit,
    )


def _completed(job_id: str) -> JobCompleted:
    attempt = AttemptRecord(
        provider="h1",
        native_id="alpha",
        started_at=1_700_000_000_000,
        duration_ms=40,
        outcome="ok",
        status_code=200,
    )
    return JobCompleted(
        job_id=job_id,
        lease_id="lease_1",
        provider="h1",
        native_id="alpha",
        usage=USAGE,
        raw_usage='{"prompt_tokens":10,"completion_tokens":5}',
        finish_reason="stop",
        output=SEALED,
        attempts=(attempt,),
        cost_picodollars=COST,
    )


def _delivery(delivery_id: str, job_id: str) -> tuple[DeliveryScheduled, DeliveryAttempted]:
    scheduled = DeliveryScheduled(
        delivery_id=delivery_id,
        message_id=f"evt_{job_id[4:]}",
        event_type="job.completed",
        url="https://customer.example/hook",
        endpoint_id=None,
        job_id=job_id,
        source_position=1,
        due_at=0,
    )
    attempted = DeliveryAttempted(
        delivery_id=delivery_id,
        attempt=1,
        at=1_700_000_000_100,
        duration_ms=9,
        status_code=200,
        error=None,
        result="delivered",
    )
    return scheduled, attempted


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
        writes = tuple(write for number in chunk for write in _job(number))
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
