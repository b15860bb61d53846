"""The projector follows the log, whatever happens to it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.sql.read_models import SqlReadModels
from adapters.system.clock import SystemClock
from domain.errors import StoreUnavailable
from domain.event import Event, Recorded
from domain.ports.event_store import LogEntry, Unreadable
from domain.ports.read_models import Generation, ReadModelUnavailable
from projections import balances, jobs, queries
from projections.folding import Rows
from projections.listing import Page
from tests.support.read_models import StoredSimulation, all_rows, opened
from tests.support.simulated_log import HOLD, SimulatedLog, job_accepted
from workers.projector import Projector, rebuild

ACCOUNT = "acct_1"
SOON = 5.0


def granted() -> SimulatedLog:
    log = SimulatedLog()
    log.grant(ACCOUNT, 1_000 * HOLD)
    return log


@asynccontextmanager
async def following(log: SimulatedLog, read_models: SqlReadModels) -> AsyncIterator[Projector]:
    projector = Projector(log, read_models, SystemClock())
    running = asyncio.create_task(projector.run())
    try:
        yield projector
    finally:
        projector.stop()
        await running


async def jobs_shown(read_models: SqlReadModels) -> list[str]:
    answer = await read_models.fetch(queries.list_jobs(ACCOUNT, Page(limit=100, order="asc")))
    return [job["id"] for job in answer["data"]]


async def test_what_is_in_the_log_at_the_start_is_applied(tmp_path: Path) -> None:
    log = granted()
    log.submit(ACCOUNT, job_accepted("job_1"))
    async with opened(tmp_path / "db") as read_models, following(log, read_models) as projector:
        assert await projector.caught_up(2, SOON)
        assert await jobs_shown(read_models) == ["job_1"]


async def test_what_is_appended_later_is_applied(tmp_path: Path) -> None:
    log = granted()
    async with opened(tmp_path / "db") as read_models, following(log, read_models) as projector:
        for number in range(3):
            log.submit(ACCOUNT, job_accepted(f"job_{number}"))
            assert await projector.caught_up(log.head(), SOON)
        assert await jobs_shown(read_models) == ["job_0", "job_1", "job_2"]


async def test_a_restart_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = granted()
    async with opened(tmp_path / "db") as read_models:
        async with following(log, read_models) as projector:
            await projector.caught_up(1, SOON)
        log.submit(ACCOUNT, job_accepted("job_1"))
        async with following(log, read_models) as projector:
            assert await projector.caught_up(2, SOON)
        assert await jobs_shown(read_models) == ["job_1"]


def restored(log: SimulatedLog, position: int) -> SimulatedLog:
    """The log after a backup that was made at `position` has been restored."""
    other = SimulatedLog(event_ids="evt_later")
    for entry in log.entries[:position]:
        other.add(entry)
    return other


@pytest.mark.parametrize("appended", [0, 1, 5], ids=["shorter", "as long", "longer"])
async def test_read_models_of_a_log_that_was_restored_from_a_backup_are_folded_anew(
    tmp_path: Path, appended: int
) -> None:
    log = granted()
    log.submit(ACCOUNT, job_accepted("job_ghost"))
    async with opened(tmp_path / "db") as first, following(log, first) as projector:
        assert await projector.caught_up(2, SOON)
    backup, jobs_since = restored(log, 1), [f"job_{number}" for number in range(appended)]
    for job_id in jobs_since:
        backup.submit(ACCOUNT, job_accepted(job_id, hold=0))
    async with opened(tmp_path / "db") as second, following(backup, second) as projector:
        assert await projector.caught_up(backup.head(), SOON)
        assert await jobs_shown(second) == jobs_since


async def test_read_models_that_a_restored_log_still_knows_are_kept(tmp_path: Path) -> None:
    log = granted()
    async with opened(tmp_path / "db") as first, following(log, first) as projector:
        assert await projector.caught_up(1, SOON)
    log.submit(ACCOUNT, job_accepted("job_ghost"))
    async with opened(tmp_path / "db") as second:
        async with following(restored(log, 1), second) as projector:
            assert await projector.caught_up(1, SOON)
        assert {g.number for g in await second.generations()} == {1}


async def test_an_entry_that_cannot_be_read_is_still_known_again(tmp_path: Path) -> None:
    log = granted()
    log.add(Unreadable(2, "x_1", "future.thing.happened", b"{}", "no event is named so"))
    async with opened(tmp_path / "db") as read_models:
        for _ in range(2):
            async with following(log, read_models) as projector:
                assert await projector.caught_up(2, SOON)
        assert {g.number for g in await read_models.generations()} == {1}


async def test_a_rebuild_replaces_the_read_models_of_another_log(tmp_path: Path) -> None:
    log = granted()
    log.submit(ACCOUNT, job_accepted("job_ghost"))
    async with opened(tmp_path / "db") as read_models:
        async with following(log, read_models) as projector:
            assert await projector.caught_up(2, SOON)
        backup = StoredSimulation(restored(log, 1))
        await asyncio.wait_for(rebuild(read_models, backup, list(read_models.projections)), SOON)
        assert await jobs_shown(read_models) == []


async def test_a_copy_of_the_log_that_is_behind_makes_no_strangers(tmp_path: Path) -> None:
    log, names = granted(), ["jobs", "balances"]
    log.submit(ACCOUNT, job_accepted("job_1"))
    truth, copy = log.read, restored(log, 1)
    async with opened(tmp_path / "db") as read_models:
        async with following(log, read_models) as projector:
            assert await projector.caught_up(2, SOON)
        running = asyncio.create_task(Projector(copy, read_models, SystemClock(), truth).run())
        await asyncio.sleep(0.1)  # it begins while the copy is behind
        copy.add(log.entries[1])
        log.submit(ACCOUNT, job_accepted("job_2"))
        copy.add(log.entries[2])
        while await jobs_shown(read_models) != ["job_1", "job_2"]:
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait({running})
        built = rebuild(read_models, StoredSimulation(copy), names, truth=truth)
        assert await asyncio.wait_for(built, SOON) == ()
        numbers = {g.name: g.number for g in await read_models.generations()}
        assert numbers == {
            "jobs": 2,
            "balances": 2,
            "ledger": 1,
            "webhook_deliveries": 1,
            "provider_health": 1,
        }


class _Away(StoredSimulation):
    """A log that cannot be read."""

    async def read_log(self, after: int, limit: int) -> Sequence[LogEntry]:
        raise StoreUnavailable("the log is away")


async def test_a_rebuild_from_a_log_that_is_away_leaves_nothing_behind(tmp_path: Path) -> None:
    log = granted()
    async with opened(tmp_path / "db") as read_models:
        async with following(log, read_models) as projector:
            assert await projector.caught_up(1, SOON)
        before = await read_models.generations()
        with pytest.raises(StoreUnavailable):
            await rebuild(read_models, _Away(log), ["jobs"], truth=log.read)
        assert await read_models.generations() == before


async def test_waiting_for_a_position_that_never_comes_ends_in_vain(tmp_path: Path) -> None:
    log = granted()
    async with opened(tmp_path / "db") as read_models, following(log, read_models) as projector:
        assert not await projector.caught_up(99, 0.05)


async def test_a_stopped_projection_is_visible_and_holds_up_no_other(tmp_path: Path) -> None:
    log = granted()
    async with opened(tmp_path / "db") as read_models, following(log, read_models) as projector:
        await projector.caught_up(1, SOON)
        log.add(Unreadable(2, "job_1", "inference.job.started", b"", "broken bytes"))
        log.grant(ACCOUNT, HOLD)
        assert await projector.caught_up(3, SOON)
        errors = {g.name: g.error for g in projector.generations()}
        assert errors.pop("jobs") == "broken bytes"
        assert set(errors.values()) == {None}
        assert not await projector.caught_up(3, 0.05, ["jobs"])


async def test_a_stopped_projection_is_reported_and_has_no_lag(tmp_path: Path) -> None:
    log = granted()
    async with opened(tmp_path / "db") as read_models, following(log, read_models) as projector:
        log.add(Unreadable(2, "job_1", "inference.job.started", b"", "broken bytes"))
        log.grant(ACCOUNT, HOLD)
        assert await projector.caught_up(3, SOON)
        assert projector.stopped() == {"jobs": "broken bytes"}
        assert projector.lag().keys() == set(read_models.projections) - {"jobs"}


async def test_a_new_version_that_stops_is_reported_while_the_old_one_answers(
    tmp_path: Path,
) -> None:
    log = granted()
    async with opened(tmp_path / "db") as old, following(log, old) as projector:
        assert await projector.caught_up(1, SOON)

    def refuse(_: Rows, recorded: Recorded[Event]) -> None:
        raise LookupError(recorded.stream)

    log.submit(ACCOUNT, job_accepted("job_1"))
    newer = [replace(jobs.PROJECTION, version=2, fold=refuse), balances.PROJECTION]
    async with opened(tmp_path / "db", newer) as new, following(log, new) as projector:
        async with asyncio.timeout(SOON):
            while not projector.stopped():
                await asyncio.sleep(0.005)
        assert projector.stopped() == {"jobs": "LookupError: job_1"}
        assert projector.lag().keys() == {"balances"}
        assert await jobs_shown(new) == []


async def test_a_new_version_is_built_and_swapped_in_while_the_old_one_answers(
    tmp_path: Path,
) -> None:
    log = granted()
    log.submit(ACCOUNT, job_accepted("job_1"))
    async with opened(tmp_path / "db") as old, following(log, old) as projector:
        await projector.caught_up(2, SOON)

    def shout(rows: Rows, recorded: Recorded[Event]) -> None:
        jobs.fold(rows, recorded)
        row = rows.get("jobs", "job_1") if recorded.position == 2 else None
        if row is not None:
            rows.put("jobs", row | {"model": "ACME"})

    newer = replace(jobs.PROJECTION, version=jobs.PROJECTION.version + 1, fold=shout)
    log.grant(ACCOUNT, HOLD)  # which only the new version folds
    async with opened(tmp_path / "db", [newer]) as new, following(log, new) as projector:
        assert await jobs_shown(new) == ["job_1"]
        assert await projector.caught_up(3, SOON)
        assert [row["model"] for row in all_rows(new)["jobs"]] == ["ACME"]


async def test_a_rebuild_beside_a_working_projector_loses_nothing(tmp_path: Path) -> None:
    log = granted()
    async with opened(tmp_path / "db") as read_models, following(log, read_models) as projector:
        for number in range(20):
            log.submit(ACCOUNT, job_accepted(f"job_{number:02}"))
        rebuilding = asyncio.create_task(
            rebuild(read_models, StoredSimulation(log), list(read_models.projections))
        )
        for number in range(20, 40):
            log.submit(ACCOUNT, job_accepted(f"job_{number:02}"))
            await asyncio.sleep(0)
        assert await rebuilding == ()
        log.submit(ACCOUNT, job_accepted("job_40"))
        assert await projector.caught_up(log.head(), SOON)
        assert len(await jobs_shown(read_models)) == 41
        assert {g.number for g in projector.generations()} == {2}


async def test_a_rebuild_tells_its_progress(tmp_path: Path) -> None:
    log, told = granted(), list[tuple[int, int]]()
    async with opened(tmp_path / "db") as read_models, following(log, read_models) as projector:
        await projector.caught_up(1, SOON)
        await rebuild(read_models, StoredSimulation(log), ["jobs"], lambda *done: told.append(done))
    assert told[-1] == (1, 1)


class _OnceAway(SqlReadModels):
    """Read models whose database is away for the first batch."""

    away = True

    async def apply(
        self, generations: Sequence[Generation], entries: Sequence[LogEntry]
    ) -> Sequence[Generation]:
        if self.away:
            self.away = False
            raise ReadModelUnavailable("the disk is away")
        return await super().apply(generations, entries)


async def test_a_batch_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    log = granted()
    async with opened(tmp_path / "db") as first:
        read_models = _OnceAway(first.engine)
        async with following(log, read_models) as projector:
            assert await projector.caught_up(1, SOON)
        await read_models.close()
