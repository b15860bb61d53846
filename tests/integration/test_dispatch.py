"""Dispatch on a real store: how many at once, in which order, and what ends with its worker."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.event import Event, Recorded
from domain.inference.events import CancelRequested, JobCompleted, JobFailed
from domain.ports.event_store import Append
from tests.support.dispatching import Dispatching, dispatching
from tests.support.stores import write
from workers.dispatch import Dispatcher, DispatchLimits
from workers.job_run import MAX_STARTS


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Dispatching]:
    async with dispatching(tmp_path) as made:
        yield made


async def test_no_more_jobs_run_at_once_than_allowed(here: Dispatching) -> None:
    here.start(concurrency=3)
    names = [await here.submit(n) for n in range(10)]
    await here.provider.count(3)
    await here.queued(10)
    assert (here.provider.running, len(here.provider.calls)) == (3, 3)
    here.provider.open.set()
    await here.ended(*names)
    assert here.provider.most_running == 3


async def test_no_account_runs_more_jobs_at_once_than_allowed(here: Dispatching) -> None:
    here.start(concurrency=10, per_account=2)
    busy = [await here.submit(n) for n in range(6)]
    other = await here.submit(6, account="acct_2")
    await here.provider.count(3)
    await here.queued(7)
    assert sorted(here.provider.calls) == sorted([*busy[:2], other])
    here.provider.open.set()
    await here.ended(*busy, other)


async def test_an_account_with_many_waiting_jobs_does_not_delay_anothers_one(
    here: Dispatching,
) -> None:
    here.provider.open.set()
    busy = [await here.submit(n) for n in range(100)]
    other = await here.submit(100, account="acct_2")
    here.start(concurrency=1)
    await here.ended(*busy, other)
    # A turn is worth 4,096 tokens, a job here 110.
    assert here.provider.calls.index(other) <= 2 * 4096 // 110


async def test_an_interactive_job_goes_before_a_waiting_batch(here: Dispatching) -> None:
    here.start(concurrency=1)
    batch = [await here.submit(n, lane="batch") for n in range(5)]
    await here.provider.count(1)
    urgent = await here.submit(5, lane="interactive")
    await here.queued(6)
    here.provider.open.set()
    await here.ended(*batch, urgent)
    assert here.provider.calls.index(urgent) == 1


async def test_a_job_is_called_once_and_leaves_the_queue(here: Dispatching) -> None:
    here.provider.open.set()
    here.start()
    name = await here.submit(1)
    await here.ended(name)
    assert here.provider.calls == [name]
    assert await here.events(name) == ["job.accepted", "job.started", "job.completed"]
    assert await here.store.backlog("dispatch") == []
    assert (await here.store.wallet("acct_1")).held == 0


async def test_the_deadline_ends_a_job_that_waits(here: Dispatching) -> None:
    here.start(concurrency=1)
    first = await here.submit(1)
    await here.provider.count(1)
    late = await here.submit(2, deadline_ms=50)
    (job,) = await here.ended(late)
    assert (job.status, job.starts) == ("expired", 0)
    here.provider.open.set()
    await here.ended(first)
    assert here.provider.calls == [first]


async def test_a_lease_found_at_the_start_ends_at_once_and_the_job_runs_again(
    here: Dispatching,
) -> None:
    here.provider.open.set()
    name = await here.submit(1)
    await here.start_of_a_dead_worker(name, lease="lease_dead", version=1)
    here.start(lease_seconds=1000)
    (job,) = await here.ended(name)
    assert (job.status, job.starts) == ("succeeded", 2)
    assert "job.lease_expired" in await here.events(name)


async def test_a_lease_of_another_worker_runs_out_and_the_job_runs_again(
    here: Dispatching,
) -> None:
    here.provider.open.set()
    name = await here.submit(1)
    await here.start_of_a_dead_worker(name, lease="lease_dead", version=1)
    here.start(lease_seconds=0.2, sole_worker=False)
    (job,) = await here.ended(name)
    assert (job.status, job.starts) == ("succeeded", 2)


async def test_a_running_job_keeps_its_lease(here: Dispatching) -> None:
    here.start(lease_seconds=0.3)
    name = await here.submit(1)
    await here.provider.count(1)
    (item,) = await here.store.backlog("dispatch")
    until = item.leased_until or 0
    async with asyncio.timeout(10):
        while here.clock.now() < until + 300:
            await asyncio.sleep(0.05)
    here.provider.open.set()
    (job,) = await here.ended(name)
    assert (job.status, job.starts) == ("succeeded", 1)


async def test_a_job_that_took_its_worker_down_too_often_fails_without_a_call(
    here: Dispatching,
) -> None:
    name = await here.submit(1)
    for start in range(MAX_STARTS):
        lease, version = f"lease_{start}", 1 + 2 * start
        await here.start_of_a_dead_worker(name, lease=lease, version=version)
        await here.lease_expired(name, lease=lease, version=version + 1)
    here.start()
    (job,) = await here.ended(name)
    assert isinstance(job.ended, JobFailed)
    assert job.ended.failure.code == "internal_error"
    assert here.provider.calls == []
    assert (await here.store.wallet("acct_1")).held == 0


async def test_a_drain_lets_running_jobs_end_and_starts_no_other(here: Dispatching) -> None:
    dispatcher = here.start(concurrency=1)
    running, waiting = await here.submit(1), await here.submit(2)
    await here.provider.count(1)
    await here.queued(2)
    draining = asyncio.create_task(dispatcher.drain())
    await asyncio.sleep(0)
    here.provider.open.set()
    await asyncio.wait_for(draining, 10)
    assert (await here.job(running)).status == "succeeded"
    assert (await here.job(waiting)).status == "queued"


async def test_what_a_drain_has_no_time_for_is_left_to_the_next_start(tmp_path: Path) -> None:
    async with dispatching(tmp_path) as first:
        dispatcher = first.start(drain_seconds=0.05)
        name = await first.submit(1)
        await first.provider.count(1)
        await dispatcher.drain()
        assert first.provider.stopped == 1
        assert await first.events(name) == ["job.accepted", "job.started"]
    async with dispatching(tmp_path) as second:
        second.provider.open.set()
        second.start()
        (job,) = await second.ended(name)
        assert (job.status, job.starts) == ("succeeded", 2)


async def test_jobs_queued_before_the_start_are_run(tmp_path: Path) -> None:
    async with dispatching(tmp_path) as first:
        names = [await first.submit(n) for n in range(5)]
    async with dispatching(tmp_path) as second:
        second.provider.open.set()
        second.start()
        await second.ended(*names)
        assert sorted(second.provider.calls) == sorted(names)


async def test_a_reaper_that_comes_too_late_leaves_the_job_in_the_queue(here: Dispatching) -> None:
    name = await here.submit(1)
    await here.start_of_a_dead_worker(name, lease="lease_1", version=1)
    (stale,) = await here.store.backlog("dispatch")
    await here.lease_expired(name, lease="lease_1", version=2)
    await here.start_of_a_dead_worker(name, lease="lease_2", version=3)
    await here.dispatcher(DispatchLimits())._expire_lease(stale)
    assert [item.lease_id for item in await here.store.backlog("dispatch")] == ["lease_2"]


async def test_a_job_that_two_workers_take_in_is_run_by_one(here: Dispatching) -> None:
    here.provider.open.set()
    here.start(sole_worker=False)
    here.start(sole_worker=False)
    names = [await here.submit(n) for n in range(20)]
    jobs = await here.ended(*names)
    assert [(job.status, job.starts) for job in jobs] == [("succeeded", 1)] * 20
    assert sorted(here.provider.calls) == sorted(names)


async def test_a_lease_that_a_live_worker_holds_is_respected(here: Dispatching) -> None:
    here.start(lease_seconds=0.3, sole_worker=False)
    name = await here.submit(1)
    await here.provider.count(1)
    other = here.start(lease_seconds=0.3, sole_worker=False)
    (item,) = await here.store.backlog("dispatch")
    other._arrived(item._replace(lease_id=None, leased_until=None, starts=0))
    await asyncio.sleep(0.7)  # more than two leases
    here.provider.open.set()
    (job,) = await here.ended(name)
    assert (job.status, job.starts, len(here.provider.calls)) == ("succeeded", 1, 1)


async def test_a_job_that_comes_back_while_it_runs_here_is_taken_in_again(
    here: Dispatching,
) -> None:
    here.start()
    name = await here.submit(1)
    await here.provider.count(1)
    lease = (await here.job(name)).lease_id
    assert lease is not None
    await here.lease_expired(name, lease=lease, version=2)  # another worker took us for dead
    here.provider.open.set()
    (job,) = await here.ended(name)
    assert (job.status, job.starts) == ("succeeded", 2)


async def test_waiting_jobs_that_are_another_workers_now_are_let_go(here: Dispatching) -> None:
    dispatcher = here.start(concurrency=1)
    running, waiting = await here.submit(1), await here.submit(2)
    await here.provider.count(1)
    await here.queued(2)
    dispatcher._withdraw(lambda _id, _lane: False)
    here.provider.open.set()
    (job,) = await here.ended(running)
    await dispatcher.drain()
    assert job.status == "succeeded"
    assert (await here.job(waiting)).status == "queued"


async def test_a_cancellation_reaches_the_worker_that_runs_the_job(here: Dispatching) -> None:
    for _ in range(2):
        here.start(sole_worker=False)
    name = await here.submit(1)
    await here.provider.count(1)
    await write(here.store, name, CancelRequested(job_id=name), version=2)
    (job,) = await here.ended(name)
    assert (job.status, here.provider.stopped) == ("cancelled", 1)


class StopsAtTheEnd:
    """The store, but the customer's cancel comes just when a completion is to be recorded."""

    def __init__(self, here: Dispatching) -> None:
        self._here = here
        self.dispatcher: Dispatcher

    def __getattr__(self, name: str) -> object:
        return getattr(self._here.store, name)

    async def append(self, append: Append) -> tuple[Recorded[Event], ...]:
        events = [event for write in append.writes for event in write.events]
        if isinstance(events[0], JobCompleted):
            self.dispatcher._runs[events[0].job_id].stop()
        return await self._here.store.append(append)


async def test_a_cancel_that_meets_a_complete_answer_leaves_it_to_be_recorded(
    here: Dispatching,
) -> None:
    store = StopsAtTheEnd(here)
    store.dispatcher = here.dispatcher(DispatchLimits(), store)  # type: ignore[arg-type]
    here.provider.open.set()
    here.run(store.dispatcher)
    name = await here.submit(1)
    assert (await here.ended(name))[0].status == "succeeded"
