"""The deadlines of waiting jobs."""

import asyncio

from workers.deadlines import SLACK, Deadlines


def test_the_earliest_deadline_is_taken_first() -> None:
    deadlines = Deadlines()
    for job, at in (("late", 30), ("early", 10), ("middle", 20)):
        deadlines.add(job, at)
    assert [deadlines.take_due(25) for _ in range(3)] == ["early", "middle", None]


def test_a_job_that_ended_is_not_taken() -> None:
    deadlines = Deadlines()
    deadlines.add("ended", 10)
    deadlines.discard("ended")
    assert deadlines.take_due(100) is None


def test_ended_jobs_do_not_stay_in_memory() -> None:
    deadlines = Deadlines()
    for number in range(10_000):
        deadlines.add(f"job_{number}", 10**15)
        deadlines.discard(f"job_{number}")
    assert len(deadlines) <= SLACK + 1


async def test_an_earlier_deadline_ends_the_wait_for_a_later_one() -> None:
    deadlines = Deadlines()
    deadlines.add("late", 10**12)
    await deadlines.wait(0)
    waiting = asyncio.ensure_future(deadlines.wait(0))
    await asyncio.sleep(0)
    deadlines.add("early", 1)
    async with asyncio.timeout(5):
        await waiting
