"""The read models over an event store that the engine writes."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.codec.events import EventCodec
from adapters.sql.read_models import SqlReadModels
from adapters.sql.verify import verify
from adapters.sqlite.event_store import SqliteEventStore
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.billing.events import CreditGranted
from domain.event import Event, Origin, Recorded
from domain.event_types import ALL_EVENTS
from domain.inference.events import CancelRequested, JobCancelled, JobStarted
from domain.ports.event_store import Append, StreamWrite
from projections import balances
from projections.invariants import violations
from tests.support.read_models import PLACES, all_rows, opened, place_of
from tests.support.simulated_log import HOLD, job_accepted
from workers.projector import Projector, no_progress, rebuild

ACCOUNT = "acct_1"
ORIGIN = Origin(ACCOUNT, "key", "key_1", "req_1")


def open_store(path: Path) -> SqliteEventStore:
    return SqliteEventStore(
        path, EventCodec(ALL_EVENTS), SystemClock(), TimeOrderedIds(), "process"
    )


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteEventStore]:
    made = open_store(tmp_path / "events.db")
    yield made
    await made.close()


@pytest.fixture(params=PLACES)
async def read_models(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[SqlReadModels]:
    async with opened(place_of(request, tmp_path)) as made:
        yield made


async def append(store: SqliteEventStore, stream: str, version: int, *events: Event) -> None:
    await store.append(Append(ORIGIN, (StreamWrite(stream, version, events),)))


async def run_jobs(store: SqliteEventStore, count: int) -> None:
    grant = CreditGranted(
        credit_id="crd_1", bucket="purchased", picodollars=1_000 * HOLD, reason="test"
    )
    await append(store, grant.credit_id, 0, grant)
    await asyncio.gather(*(run_job(store, f"job_{number}") for number in range(count)))


async def run_job(store: SqliteEventStore, job_id: str) -> None:
    await append(store, job_id, 0, job_accepted(job_id))
    started = JobStarted(job_id=job_id, lease_id="lease_1", worker_id="w1", lease_until=1)
    await append(store, job_id, 1, started, CancelRequested(job_id=job_id))
    await append(store, job_id, 3, JobCancelled(job_id=job_id))


async def test_the_live_read_models_equal_a_replay_and_the_stores_wallets(
    store: SqliteEventStore, read_models: SqlReadModels
) -> None:
    projector = Projector(store.log, read_models, SystemClock())
    running = asyncio.create_task(projector.run())
    await run_jobs(store, 50)
    assert await projector.caught_up(store.log.head(), 10)
    names = list(read_models.projections)
    assert await verify(read_models, store, names, no_progress) == ()
    rows = {row["account_id"]: row for row in all_rows(read_models)["balances"]}
    assert balances.wallet_of(rows[ACCOUNT]) == await store.wallet(ACCOUNT)
    projector.stop()
    await running


async def test_after_a_restored_backup_the_read_models_are_those_of_the_restored_log(
    store: SqliteEventStore, read_models: SqlReadModels, tmp_path: Path
) -> None:
    names = list(read_models.projections)
    await run_jobs(store, 3)
    await asyncio.to_thread(back_up, tmp_path / "events.db", tmp_path / "backup.db")
    await append(store, "job_ghost", 0, job_accepted("job_ghost"))
    assert await rebuild(read_models, store, names) == ()
    restored = open_store(tmp_path / "backup.db")
    await append(restored, "job_later", 0, job_accepted("job_later"))
    projector = Projector(restored.log, read_models, SystemClock())
    running = asyncio.create_task(projector.run())
    assert await projector.caught_up(restored.log.head(), 10)
    assert await verify(read_models, restored, names, no_progress) == ()
    projector.stop()
    await running
    await restored.close()


def back_up(path: Path, target: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


async def test_the_stores_log_breaks_no_rule(store: SqliteEventStore) -> None:
    await run_jobs(store, 20)
    log = [entry for entry in await store.read_log(0, 1_000) if isinstance(entry, Recorded)]
    wallets = {ACCOUNT: await store.wallet(ACCOUNT)}
    assert violations(log, drained=True, wallets=wallets) == []


async def test_read_models_that_were_deleted_are_rebuilt_from_the_store(
    store: SqliteEventStore, read_models: SqlReadModels
) -> None:
    await run_jobs(store, 20)
    names = list(read_models.projections)
    assert await rebuild(read_models, store, names) == ()
    assert await verify(read_models, store, names, no_progress) == ()
    assert len(all_rows(read_models)["jobs"]) == 20
