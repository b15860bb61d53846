"""Event stores for tests, and the events of small histories on them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.codec.events import EventCodec
from adapters.sqlite.event_store import SqliteEventStore
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.billing.events import Bucket, ChargeRecorded, CreditGranted
from domain.effects import WorkEffect
from domain.event import Event, Origin, Recorded, system_origin
from domain.event_types import ALL_EVENTS
from domain.ids import charge_id
from domain.inference.events import JobAccepted, JobCancelled, Usage
from domain.ports.event_store import Append, EventStore, StreamWrite
from tests.support.simulated_log import completion, job_accepted

ACCOUNT = "acct_1"


def store_at(path: Path) -> SqliteEventStore:
    """Opens the store of this file."""
    codec = EventCodec(ALL_EVENTS)
    return SqliteEventStore(path, codec, SystemClock(), TimeOrderedIds(), "process")


@asynccontextmanager
async def opened_store(path: Path) -> AsyncIterator[SqliteEventStore]:
    """The store of this file, closed afterwards."""
    store = store_at(path)
    try:
        yield store
    finally:
        await store.close()


def job_id(number: int) -> str:
    return f"job_{number:032x}"


def origin(account_id: str = ACCOUNT) -> Origin:
    return system_origin(account_id, "test", "req_test")


def accepted(number: int, hold: int = 0) -> JobAccepted:
    """The acceptance of a job with this hold in picodollars."""
    return job_accepted(job_id(number), hold=hold)


def cancelled(number: int) -> JobCancelled:
    return JobCancelled(job_id=job_id(number))


def credited(credit: str, picodollars: int, bucket: Bucket = "purchased") -> CreditGranted:
    return CreditGranted(credit_id=credit, bucket=bucket, picodollars=picodollars, reason="test")


def charged(number: int, picodollars: int) -> ChargeRecorded:
    return ChargeRecorded(
        charge_id=charge_id(job_id(number)),
        job_id=job_id(number),
        model="acme/alpha",
        provider="h1",
        native_id="alpha",
        usage=Usage(input_tokens=1, output_tokens=1),
        price_version="pb_1",
        lines=(),
        picodollars=picodollars,
    )


def completed(number: int) -> Event:
    """The completion of a job, without its charge."""
    usage = Usage(input_tokens=1, output_tokens=1)
    return completion(job_id(number), "lease_1", usage).completed


def appending(
    *writes: StreamWrite, account_id: str = ACCOUNT, work: tuple[WorkEffect, ...] = ()
) -> Append:
    return Append(origin(account_id), writes, work)


async def write(
    store: EventStore, stream: str, *events: Event, version: int = 0, account: str = ACCOUNT
) -> tuple[Recorded[Event], ...]:
    """Appends events to one stream."""
    return await store.append(appending(StreamWrite(stream, version, events), account_id=account))
