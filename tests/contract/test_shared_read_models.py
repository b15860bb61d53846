"""The laws of the read models where several processes share them: each has an adapter here."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from adapters.sql.read_models import SqlReadModels
from adapters.sql.snapshot import snapshot
from adapters.sql.verify import verify
from domain.inference.events import CancelRequested
from domain.ports.event_store import LogEntry
from projections import queries
from projections.listing import Page
from projections.tables import JOBS
from tests.support.read_models import (
    PLACES,
    Place,
    StoredSimulation,
    all_rows,
    fold_all,
    opened,
    place_of,
)
from tests.support.simulated_log import HOLD, SimulatedLog, job_accepted
from workers.projector import no_progress, rebuild

ACCOUNT = "acct_1"
NODES = 6


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(request, tmp_path)


@pytest.fixture
async def one(place: Place) -> AsyncIterator[SqlReadModels]:
    async with opened(place) as made:
        yield made


@pytest.fixture
async def other(place: Place) -> AsyncIterator[SqlReadModels]:
    async with opened(place) as made:
        yield made


def log_of(count: int, event_ids: str = "evt") -> SimulatedLog:
    """A grant, and `count` jobs of which each is accepted and asked to be cancelled."""
    log = SimulatedLog(event_ids)
    log.grant(ACCOUNT, 1_000 * HOLD)
    for number in range(count):
        log.submit(ACCOUNT, job_accepted(f"job_{number}"))
        log.append(ACCOUNT, f"job_{number}", CancelRequested(job_id=f"job_{number}"))
    return log


async def apply(read_models: SqlReadModels, entries: Sequence[LogEntry]) -> None:
    await read_models.apply(await read_models.generations(), entries)


async def is_replay(read_models: SqlReadModels, log: SimulatedLog) -> bool:
    names = list(read_models.projections)
    return await verify(read_models, StoredSimulation(log), names, no_progress) == ()


async def test_nodes_that_prepare_at_once_make_each_generation_once(
    place: Place, one: SqlReadModels
) -> None:
    async def prepare() -> None:
        async with opened(place) as node:
            await node.prepare()

    await asyncio.gather(*(prepare() for _ in range(NODES)))
    assert {g.number for g in await one.generations()} == {1}
    assert len(await one.generations()) == len(one.projections)


async def test_two_that_advance_the_same_generations_disturb_nothing(
    one: SqlReadModels, other: SqlReadModels
) -> None:
    log = log_of(40)

    async def follow(read_models: SqlReadModels, batch: int) -> None:
        generations = await read_models.generations()
        while (position := min(g.position for g in generations)) < log.head():
            entries = await log.read(position, batch)
            generations = await read_models.apply(generations, entries)

    await fold_all(one, [], 10)
    await asyncio.gather(follow(one, 3), follow(other, 7))
    assert await is_replay(one, log)


async def test_rows_that_another_process_changed_are_read_again(
    one: SqlReadModels, other: SqlReadModels
) -> None:
    log = log_of(1)
    await fold_all(one, log.entries[:2], 10)
    await apply(other, log.entries[2:])
    log.append(ACCOUNT, "job_0", CancelRequested(job_id="job_0"))
    await apply(one, log.entries)
    assert await is_replay(one, log)


async def test_rows_of_another_log_are_not_taken_for_those_at_the_same_position(
    one: SqlReadModels, other: SqlReadModels
) -> None:
    """As after a restored backup: generations and positions come a second time."""
    former, log = log_of(1, "former"), log_of(0)
    log.submit(ACCOUNT, job_accepted("job_later"))
    await fold_all(one, former.entries[:2], 10)
    forget_the_registry(other)
    await fold_all(other, log.entries, 10)
    assert {g.number for g in await one.generations()} == {1}
    log.append(ACCOUNT, "job_later", CancelRequested(job_id="job_later"))
    await apply(one, log.entries)
    assert await is_replay(one, log)


def forget_the_registry(read_models: SqlReadModels) -> None:
    """Drops it, and with SQLite the tables, which are then not dropped by a new one."""
    with read_models.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            named = "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view')"
            for kind, name in connection.exec_driver_sql(named).all():
                connection.exec_driver_sql(f"DROP {kind} {name}")
        else:
            connection.exec_driver_sql("DROP SCHEMA read_models CASCADE")


async def test_readers_notice_nothing_of_rebuilds(one: SqlReadModels, other: SqlReadModels) -> None:
    log = log_of(5)
    await fold_all(one, log.entries, 100)
    wanted = [f"job_{number}" for number in range(5)]
    stopping = asyncio.Event()

    async def read() -> int:
        count = 0
        while not stopping.is_set():
            answer = await other.fetch(queries.list_jobs(ACCOUNT, Page(order="asc")))
            assert [job["id"] for job in answer["data"]] == wanted
            assert answer["as_of"] == str(log.head())
            count += 1
        return count

    readers = [asyncio.create_task(read()) for _ in range(3)]
    for _ in range(5):
        assert not await rebuild(one, StoredSimulation(log), list(one.projections))
    stopping.set()
    assert min(await asyncio.gather(*readers)) > 0


async def test_a_slow_reader_holds_up_no_swap_and_reads_on(
    one: SqlReadModels, other: SqlReadModels
) -> None:
    log = log_of(3)
    await fold_all(one, log.entries, 100)
    with snapshot(other.engine) as seen:
        before = seen.rows(select(JOBS))
        assert not await rebuild(one, StoredSimulation(log), ["jobs"])
        assert seen.rows(select(JOBS)) == before
    assert len(all_rows(one)["jobs"]) == 3


async def test_a_swap_during_a_verification_disturbs_neither(
    one: SqlReadModels, other: SqlReadModels
) -> None:
    log = log_of(2)
    await fold_all(one, log.entries[:2], 100)

    class Moving(StoredSimulation):
        """Moves the read models on while the log is read, then swaps them."""

        moves = 0

        async def read_log(self, after: int, limit: int) -> Sequence[LogEntry]:
            self.moves += 1
            if self.moves == 1:
                await apply(one, log.entries)
            if self.moves == 2:
                assert not await rebuild(one, StoredSimulation(log), list(one.projections))
            return await super().read_log(after, limit)

    store = Moving(log)
    assert await verify(other, store, list(other.projections), no_progress) == ()
    assert store.moves == 2


async def test_a_swap_that_another_process_has_made_is_made(
    one: SqlReadModels, other: SqlReadModels
) -> None:
    log = log_of(1)
    for generation in await one.prepare():
        (after,) = [
            g for g in await one.apply([generation], log.entries) if g.key == generation.key
        ]
        assert await one.activate(after)
        assert await other.activate(generation)
    assert {g.state for g in await one.generations()} == {"active"}
