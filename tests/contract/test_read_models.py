"""The laws of `domain.ports.read_models.ReadModels`, for every adapter."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import update

from adapters.sql.read_models import SqlReadModels
from adapters.sql.verify import verify
from domain.errors import InvalidRequest
from domain.event import Event, Recorded
from domain.ports.event_store import Unreadable
from domain.ports.read_models import Generation, ReadModelUnavailable
from projections import jobs, ledger, queries
from projections.folding import Rows
from projections.listing import Page
from projections.tables import JOBS
from tests.support.read_models import (
    PLACES,
    Place,
    StoredSimulation,
    all_rows,
    fold_all,
    opened,
    physical,
    place_of,
)
from tests.support.simulated_log import HOLD, SimulatedLog, job_accepted
from tests.support.simulated_work import ACCOUNTS, random_steps, write
from workers.projector import catch_up, no_progress, rebuild, status

ACCOUNT, OTHER = "acct_1", "acct_2"


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(request, tmp_path)


@pytest.fixture
async def read_models(place: Place) -> AsyncIterator[SqlReadModels]:
    async with opened(place) as made:
        yield made


def log_of(count: int) -> SimulatedLog:
    """A grant and `count` accepted jobs."""
    log = SimulatedLog()
    log.grant(ACCOUNT, 100 * HOLD)
    for number in range(count):
        log.submit(ACCOUNT, job_accepted(f"job_{number}", metadata={"n": str(number)}))
    return log


def active(generations: Sequence[Generation], name: str) -> Generation:
    return next(g for g in generations if g.name == name and g.is_active)


async def test_law_1_rows_and_position_move_together_or_not_at_all(
    read_models: SqlReadModels,
) -> None:
    log = log_of(2)
    await fold_all(read_models, log.entries, 10)
    before = all_rows(read_models)
    unstorable = replace(job_accepted("job_9"), deadline_at=2**70)
    log.submit(ACCOUNT, unstorable)
    with pytest.raises(ReadModelUnavailable):
        await read_models.apply(await read_models.generations(), log.entries)
    assert all_rows(read_models) == before
    assert {g.position for g in await read_models.generations()} == {3}


async def test_law_2_entries_that_were_applied_change_nothing(read_models: SqlReadModels) -> None:
    log = log_of(3)
    await fold_all(read_models, log.entries, 10)
    before = all_rows(read_models)
    await read_models.apply(await read_models.generations(), log.entries[:2])
    assert all_rows(read_models) == before


async def test_law_2_a_batch_that_would_leave_a_gap_is_refused(read_models: SqlReadModels) -> None:
    log = log_of(3)
    await fold_all(read_models, log.entries[:1], 10)
    with pytest.raises(ValueError, match="gap"):
        await read_models.apply(await read_models.generations(), log.entries[2:])
    assert {g.position for g in await read_models.generations()} == {1}


async def test_law_3_an_unreadable_entry_stops_only_the_projection_that_folds_it(
    read_models: SqlReadModels,
) -> None:
    log = log_of(2)
    log.add(Unreadable(4, "job_1", "inference.job.started", b"", "broken bytes"))
    log.submit(ACCOUNT, job_accepted("job_3"))
    await fold_all(read_models, log.entries, 10)
    generations = await read_models.generations()
    stopped = active(generations, "jobs")
    assert (stopped.position, stopped.error) == (3, "broken bytes")
    assert active(generations, "balances").position == 5
    assert len(all_rows(read_models)["jobs"]) == 2


async def test_law_3_a_fold_error_stops_just_before_its_entry(place: Place) -> None:
    def refuse_the_third(rows: Rows, recorded: Recorded[Event]) -> None:
        jobs.fold(rows, recorded)
        if recorded.position == 3:
            raise LookupError("half done")

    broken = replace(jobs.PROJECTION, fold=refuse_the_third)
    async with opened(place, [broken, ledger.PROJECTION]) as read_models:
        await fold_all(read_models, log_of(4).entries, 10)
        generations = await read_models.generations()
        assert active(generations, "jobs").error == "LookupError: half done"
        assert active(generations, "jobs").position == 2
        assert [row["id"] for row in all_rows(read_models)["jobs"]] == ["job_0"]
        assert active(generations, "ledger").position == 5


async def test_law_3_preparing_gives_a_stopped_projection_another_chance(
    read_models: SqlReadModels,
) -> None:
    log = log_of(1)
    log.add(Unreadable(3, "job_1", "inference.job.started", b"", "broken bytes"))
    await fold_all(read_models, log.entries, 10)
    assert all(g.error is None for g in await read_models.prepare())


@pytest.mark.parametrize("batch", [1, 7, 1_000])
async def test_law_4_batches_of_every_size_make_the_rows_of_a_replay(
    read_models: SqlReadModels, batch: int
) -> None:
    log = SimulatedLog()
    log.publish_prices()
    for account_id in ACCOUNTS:
        log.grant(account_id, 20 * HOLD)
    write(log, random_steps(Random(batch), 250))  # noqa: S311 - repeatable
    await fold_all(read_models, log.entries, batch)
    names = list(read_models.projections)
    assert await verify(read_models, StoredSimulation(log), names, no_progress) == ()
    rows = all_rows(read_models)
    assert all(rows[table.name] for name in names for table in read_models.projections[name].tables)


async def test_law_5_what_is_being_built_is_not_seen(read_models: SqlReadModels) -> None:
    log = log_of(2)
    await fold_all(read_models, log.entries, 10)
    await read_models.build("jobs")
    assert len((await read_models.fetch(queries.list_jobs(ACCOUNT, Page())))["data"]) == 2


async def test_law_5_a_generation_behind_the_active_one_is_not_swapped_in(
    read_models: SqlReadModels,
) -> None:
    await fold_all(read_models, log_of(2).entries, 10)
    built = await read_models.build("jobs")
    assert not await read_models.activate(built)
    assert active(await read_models.generations(), "jobs").number == 1


async def test_law_5_a_rebuilt_generation_replaces_the_damaged_one(
    read_models: SqlReadModels,
) -> None:
    log = log_of(2)
    await fold_all(read_models, log.entries, 10)
    before = all_rows(read_models)
    await damage(read_models)
    assert not await rebuild(read_models, StoredSimulation(log), ["jobs"])
    assert all_rows(read_models) == before
    assert [g.number for g in await read_models.generations() if g.name == "jobs"] == [2]


async def test_law_5_a_new_version_builds_beside_and_is_swapped_in(place: Place) -> None:
    log = log_of(2)
    async with opened(place) as first:
        await fold_all(first, log.entries, 10)
    newer = replace(jobs.PROJECTION, version=2)
    async with opened(place, [newer]) as second:
        building = [g for g in await second.prepare() if not g.is_active]
        assert len((await second.fetch(queries.list_jobs(ACCOUNT, Page())))["data"]) == 2
        assert not await catch_up(second, StoredSimulation(log), building)
        assert [(g.version, g.position) for g in await second.generations()] == [(2, 3)]
        assert len(all_rows(second)["jobs"]) == 2


async def test_law_6_a_list_says_the_position_that_its_rows_hold(
    read_models: SqlReadModels,
) -> None:
    await fold_all(read_models, log_of(2).entries, 10)
    assert (await read_models.fetch(queries.list_jobs(ACCOUNT, Page())))["as_of"] == "3"


async def test_law_6_closing_waits_for_a_read_without_blocking_the_event_loop(
    place: Place,
) -> None:
    let_go = threading.Event()
    async with opened(place) as read_models:
        await read_models.prepare()
        reading = asyncio.create_task(read_models.fetch(lambda _: let_go.wait(2)))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.02, let_go.set)
    assert await reading


async def test_law_7_reading_before_the_first_build_is_unavailable(
    read_models: SqlReadModels,
) -> None:
    await read_models.prepare()
    with pytest.raises(ReadModelUnavailable):
        await read_models.fetch(queries.list_jobs(ACCOUNT, Page()))


async def test_law_8_what_was_discarded_is_not_read_and_made_anew_by_preparing(
    read_models: SqlReadModels,
) -> None:
    log = log_of(2)
    await fold_all(read_models, log.entries, 10)
    before = all_rows(read_models)
    await read_models.discard(await read_models.generations())
    with pytest.raises(ReadModelUnavailable):
        await read_models.fetch(queries.list_jobs(ACCOUNT, Page()))
    assert await read_models.generations() == []
    await fold_all(read_models, log.entries, 10)
    assert all_rows(read_models) == before


async def test_law_8_what_was_discarded_is_not_advanced(read_models: SqlReadModels) -> None:
    log = log_of(2)
    await fold_all(read_models, log.entries[:2], 10)
    generations = await read_models.generations()
    await read_models.discard(generations)
    assert await read_models.apply(generations, log.entries[2:]) == []


async def test_read_models_that_cannot_tell_their_log_are_opened(
    read_models: SqlReadModels,
) -> None:
    await fold_all(read_models, log_of(2).entries, 10)
    with read_models.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE projections DROP COLUMN entry_id")
    assert {g.entry_id for g in await read_models.prepare()} == {None}


async def test_another_account_sees_nothing(read_models: SqlReadModels) -> None:
    await fold_all(read_models, log_of(2).entries, 10)
    for listed in (queries.list_jobs, queries.list_ledger):
        assert (await read_models.fetch(listed(ACCOUNT, Page())))["data"] != []
        assert (await read_models.fetch(listed(OTHER, Page())))["data"] == []


async def test_pages_follow_each_other_without_a_gap(read_models: SqlReadModels) -> None:
    await fold_all(read_models, log_of(5).entries, 10)
    page, seen = Page(limit=2), list[str]()
    while True:
        answer = await read_models.fetch(queries.list_jobs(ACCOUNT, page))
        seen += [job["id"] for job in answer["data"]]
        if not answer["has_more"]:
            break
        page = replace(page, after=answer["last_id"])
    assert seen == ["job_4", "job_3", "job_2", "job_1", "job_0"]


async def test_jobs_are_found_by_their_metadata(read_models: SqlReadModels) -> None:
    await fold_all(read_models, log_of(3).entries, 10)
    query = queries.list_jobs(ACCOUNT, Page(), metadata={"n": "1"})
    assert [job["id"] for job in (await read_models.fetch(query))["data"]] == ["job_1"]


@pytest.mark.parametrize(
    "metadata", [{"n": "a\0b"}, {"a\0b": "n"}, {"a\0b": "n", "a\N{REPLACEMENT CHARACTER}b": "n"}]
)
async def test_a_text_that_not_every_database_can_hold_is_found_by_itself(
    read_models: SqlReadModels, metadata: dict[str, str]
) -> None:
    log = log_of(1)
    log.submit(ACCOUNT, job_accepted("job_nul", metadata=metadata))
    await fold_all(read_models, log.entries, 10)
    (found,) = (await read_models.fetch(queries.list_jobs(ACCOUNT, Page(), metadata=metadata)))[
        "data"
    ]
    assert (found["id"], found["metadata"]) == ("job_nul", metadata)
    names = list(read_models.projections)
    assert await verify(read_models, StoredSimulation(log), names, no_progress) == ()


@pytest.mark.parametrize("page", [Page(after="job_99"), Page(as_of=99)])
async def test_a_cursor_or_position_that_was_never_given_is_refused(
    read_models: SqlReadModels, page: Page
) -> None:
    await fold_all(read_models, log_of(1).entries, 10)
    with pytest.raises(InvalidRequest):
        await read_models.fetch(queries.list_jobs(ACCOUNT, page))


async def test_verify_finds_nothing_in_sound_read_models(read_models: SqlReadModels) -> None:
    log = log_of(3)
    await fold_all(read_models, log.entries, 10)
    names = list(read_models.projections)
    assert await verify(read_models, StoredSimulation(log), names, no_progress) == ()


async def test_verify_compares_at_the_position_that_the_read_models_hold(
    read_models: SqlReadModels,
) -> None:
    log = log_of(3)
    await fold_all(read_models, log.entries[:2], 10)
    assert await verify(read_models, StoredSimulation(log), ["jobs"], no_progress) == ()


async def test_verify_names_the_row_that_differs(read_models: SqlReadModels) -> None:
    log = log_of(3)
    await fold_all(read_models, log.entries, 10)
    await damage(read_models)
    (difference,) = await verify(read_models, StoredSimulation(log), ["jobs"], no_progress)
    assert (difference.table, difference.key) == ("jobs", ("job_1",))
    assert difference.live is not None
    assert difference.live["model"] == "forged"


async def test_status_tells_the_lag(read_models: SqlReadModels) -> None:
    log = log_of(3)
    await fold_all(read_models, log.entries[:1], 10)
    assert {s.lag for s in await status(read_models, StoredSimulation(log))} == {3}


async def damage(read_models: SqlReadModels) -> None:
    """Changes a row behind the projector's back."""
    table = physical(read_models, JOBS, active(await read_models.generations(), "jobs"))
    with read_models.engine.begin() as connection:
        connection.execute(update(table).where(table.c.id == "job_1").values(model="forged"))
