"""Cancelling over HTTP: before the start, in flight and after the end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.client import Account
from tests.support.engine import RunningEngine, running_engine
from tests.support.scripted_provider import chunk, silence, stream


@pytest.fixture
async def narrow(tmp_path: Path) -> AsyncIterator[RunningEngine]:
    """An engine that runs one job at a time."""
    async with running_engine(tmp_path / "narrow", dispatch={"concurrency": 1}) as running:
        yield running


async def test_a_job_that_waits_is_cancelled_at_once_and_calls_nobody(
    narrow: RunningEngine,
) -> None:
    narrow.upstream.default = silence()
    account = await narrow.account()
    running, waiting = await account.submit(), await account.submit()
    await account.running(running)
    reply = await account.post(f"/v1/jobs/{waiting}/cancel")
    assert (reply.status, reply.json["status"]) == (200, "cancelled")
    await account.post(f"/v1/jobs/{running}/cancel")
    await account.finished(running)
    assert len(narrow.upstream.requests) == 1
    assert await account.timeline(waiting) == ["inference.job.accepted", "inference.job.cancelled"]
    assert (await account.balance())["available_usd"] == "10.00"


async def test_a_job_in_flight_is_cancelled_and_its_connection_closed(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.default = silence()
    job_id = await account.submit()
    async with asyncio.timeout(10):
        while not engine.upstream.requests:
            await asyncio.sleep(0.01)
    reply = await account.post(f"/v1/jobs/{job_id}/cancel")
    assert reply.status == 200
    assert reply.json["status"] == "cancelled" or reply.json["cancel_requested_at"]
    job = await account.finished(job_id)
    (seen,) = engine.upstream.requests
    await asyncio.wait_for(seen.finished.wait(), 5)
    assert (job["status"], seen.disconnected) == ("cancelled", True)
    assert (job["cost_usd"], await account.charges(job_id)) == ("0.00", [])
    assert (await account.balance())["available_usd"] == "10.00"


async def test_half_an_answer_is_not_charged(engine: RunningEngine, account: Account) -> None:
    engine.upstream.default = stream([chunk({"content": "Half"})], hang=True)
    submission = {"model": "alpha", "messages": [{"role": "user", "content": "Hi"}]}
    job_id = await account.submit({"endpoint": "/v1/chat/completions", "body": submission})
    await account.running(job_id)
    await account.post(f"/v1/jobs/{job_id}/cancel")
    assert (await account.finished(job_id))["status"] == "cancelled"
    assert (await account.balance())["total_usd"] == "10.00"


async def test_an_ended_job_cannot_be_cancelled_and_its_charge_stands(account: Account) -> None:
    job_id = await account.submit()
    await account.finished(job_id)
    balance = await account.balance()
    reply = await account.post(f"/v1/jobs/{job_id}/cancel")
    assert (reply.status, reply.error["code"]) == (409, "job_finished")
    assert (await account.job(job_id))["status"] == "succeeded"
    assert (await account.balance())["total_usd"] == balance["total_usd"]


async def test_cancelling_twice_is_cancelling_once(engine: RunningEngine, account: Account) -> None:
    engine.upstream.default = silence()
    job_id = await account.submit()
    await account.running(job_id)
    replies = await asyncio.gather(*(account.post(f"/v1/jobs/{job_id}/cancel") for _ in range(5)))
    assert {reply.status for reply in replies} == {200}
    await account.finished(job_id)
    assert (await account.timeline(job_id))[2:] == [
        "inference.job.cancel_requested",
        "inference.job.cancelled",
    ]


async def test_a_cancelled_job_has_no_result(engine: RunningEngine, account: Account) -> None:
    engine.upstream.default = silence()
    job_id = await account.submit()
    await account.post(f"/v1/jobs/{job_id}/cancel")
    await account.finished(job_id)
    reply = await account.get(f"/v1/jobs/{job_id}/result")
    assert (reply.status, reply.error["code"]) == (409, "job_cancelled")


async def test_cancelling_at_any_moment_charges_for_an_answer_or_for_nothing(
    engine: RunningEngine, account: Account
) -> None:
    async def one(number: int) -> tuple[str, int]:
        job_id = await account.submit()
        await asyncio.sleep(number * 0.001)
        await account.post(f"/v1/jobs/{job_id}/cancel")
        job = await account.finished(job_id)
        return job["status"], len(await account.charges(job_id))

    outcomes = await asyncio.gather(*(one(number) for number in range(40)))
    assert set(outcomes) <= {("succeeded", 1), ("cancelled", 0)}
    assert (await account.balance())["held_usd"] == "0.00"
