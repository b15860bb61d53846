"""Ending and starting again: nothing that was accepted is lost, nothing is done twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.client import Account, client
from tests.support.engine import ADMIN_KEY, EngineProcess, configuration, engine_process
from tests.support.scripted_provider import ScriptedProvider, answer, silence, stream, words


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as opened:
        yield opened


async def all_in_flight(upstream: ScriptedProvider, count: int) -> None:
    async with asyncio.timeout(20):
        while len(upstream.requests) < count:
            await asyncio.sleep(0.01)


async def again(process: EngineProcess, owner: Account, job_ids: list[str]) -> list[str]:
    """Starts the engine once more and waits for the jobs; their statuses."""
    await process.start()
    async with client(process.base_url, ADMIN_KEY) as admin:
        me = Account(admin, owner.account_id, owner.api_key or "")
        jobs = await asyncio.gather(*(me.finished(job_id) for job_id in job_ids))
        assert (await me.balance())["held_usd"] == "0.00"
        charges = (await me.get("/v1/billing/charges?limit=100")).json["data"]
    assert len(charges) == len(job_ids)
    return [job["status"] for job in jobs]


async def test_a_gentle_end_lets_running_jobs_finish(
    tmp_path: Path, upstream: ScriptedProvider
) -> None:
    upstream.default = answer(delay=0.5)
    async with engine_process(tmp_path, configuration(upstream.base_url)) as process:
        async with client(process.base_url, ADMIN_KEY) as admin:
            owner = await admin.account()
            job_ids = [await owner.submit() for _ in range(20)]
            await all_in_flight(upstream, 20)
            assert await process.stop() == 0
        assert await again(process, owner, job_ids) == ["succeeded"] * 20
    assert len(upstream.requests) == 20


async def test_jobs_that_do_not_end_in_time_are_run_after_the_next_start(
    tmp_path: Path, upstream: ScriptedProvider
) -> None:
    upstream.script(*[silence()] * 5)
    config = configuration(upstream.base_url, dispatch={"drain_timeout": 0.3})
    async with engine_process(tmp_path, config) as process:
        async with client(process.base_url, ADMIN_KEY) as admin:
            owner = await admin.account()
            job_ids = [await owner.submit() for _ in range(5)]
            await all_in_flight(upstream, 5)
            assert await process.stop() == 0
        assert await again(process, owner, job_ids) == ["succeeded"] * 5


async def test_whoever_waits_for_a_job_at_the_end_is_told_to_try_again(
    tmp_path: Path, upstream: ScriptedProvider
) -> None:
    upstream.script(silence())
    config = configuration(upstream.base_url, dispatch={"drain_timeout": 0.3})
    async with (
        engine_process(tmp_path, config) as process,
        client(process.base_url, ADMIN_KEY) as admin,
    ):
        owner = await admin.account()
        job_id = await owner.submit()
        waiting = asyncio.create_task(owner.get(f"/v1/jobs/{job_id}?wait=50"))
        await all_in_flight(upstream, 1)
        assert await process.stop() == 0
        reply = await waiting
        assert "Traceback" not in process.output
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert reply.error["code"] == "service_unavailable"


async def test_a_stream_that_the_end_cuts_off_says_so_and_costs_nothing(
    tmp_path: Path, upstream: ScriptedProvider
) -> None:
    upstream.script(stream(words("one two three"), done=False, hang=True))
    body = {"model": "alpha", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    config = configuration(upstream.base_url, dispatch={"drain_timeout": 0.3})
    async with engine_process(tmp_path, config) as process:
        async with client(process.base_url, ADMIN_KEY) as admin:
            owner = await admin.account()
            waiting = asyncio.create_task(owner.post("/v1/chat/completions", body))
            await all_in_flight(upstream, 1)
            assert await process.stop() == 0
            reply = await waiting
            assert "Traceback" not in process.output
        await process.start()
        async with client(process.base_url, ADMIN_KEY) as admin:
            me = Account(admin, owner.account_id, owner.api_key or "")
            job = await me.finished(reply.headers["x-gatewayz-job-id"])
            assert (await me.balance())["available_usd"] == "10.00"
    assert b'"code":"node_lost"' in reply.body
    assert (job["status"], job["error"]["code"]) == ("failed", "node_lost")


async def test_who_waits_for_the_stream_of_an_earlier_request_is_told_so_too(
    tmp_path: Path, upstream: ScriptedProvider
) -> None:
    upstream.script(silence())
    body = {"model": "alpha", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    config = configuration(
        upstream.base_url, dispatch={"drain_timeout": 0.3}, http={"stream_keep_alive": 0.2}
    )
    async with (
        engine_process(tmp_path, config) as process,
        client(process.base_url, ADMIN_KEY) as admin,
    ):
        owner = await admin.account()
        asking = owner.post("/v1/chat/completions", body, **{"idempotency-key": "one"})
        first = asyncio.create_task(asking)
        await all_in_flight(upstream, 1)
        asking = owner.post("/v1/chat/completions", body, **{"idempotency-key": "one"})
        again = asyncio.create_task(asking)
        await asyncio.sleep(0.5)
        assert await process.stop() == 0
        reply, _ = await again, await first
        assert "Traceback" not in process.output
    assert reply.headers["idempotent-replayed"] == "true"
    assert b'"code":"service_unavailable"' in reply.body
    assert reply.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("follows", [True, False])
async def test_who_follows_a_response_in_the_background_is_told_so(
    tmp_path: Path, upstream: ScriptedProvider, *, follows: bool
) -> None:
    upstream.script(silence())
    config = configuration(upstream.base_url, dispatch={"drain_timeout": 0.3})
    async with (
        engine_process(tmp_path, config) as process,
        client(process.base_url, ADMIN_KEY) as admin,
    ):
        owner = await admin.account()
        body = {"model": "alpha", "input": "Hi", "background": True, "stream": not follows}
        making = asyncio.create_task(owner.post("/v1/responses", body))
        await all_in_flight(upstream, 1)
        if follows:
            path = f"/v1/responses/{(await making).json['id']}?stream=true"
            making = asyncio.create_task(owner.get(path))
        await asyncio.sleep(0.5)
        assert await process.stop() == 0
        told = (await making).body
        assert "Traceback" not in process.output
    assert b'"type":"response.queued"' in told
    last = json.loads(told.rstrip().rpartition(b"data: ")[2])
    assert (last["type"], last["code"]) == ("error", "service_unavailable")
    # Not a number of its own: who takes the stream up after it misses no event.
    assert last["sequence_number"] == told.count(b"data: ") - 2


async def test_a_second_engine_on_the_same_data_is_refused(
    tmp_path: Path, upstream: ScriptedProvider
) -> None:
    async with engine_process(tmp_path, configuration(upstream.base_url)) as process:
        second = EngineProcess(tmp_path, configuration(upstream.base_url))
        with pytest.raises(RuntimeError, match="in use by process"):
            await second.start()
        assert process.is_alive


async def test_a_revoked_key_stays_revoked_after_a_kill(
    tmp_path: Path, upstream: ScriptedProvider
) -> None:
    async with engine_process(tmp_path, configuration(upstream.base_url)) as process:
        async with client(process.base_url, ADMIN_KEY) as admin:
            owner = await admin.account()
            key_id, second = await owner.key("jobs")
            await owner.post(f"/v1/keys/{key_id}/revoke")
        process.kill()
        await process.start()
        async with client(process.base_url, second.api_key) as revoked:
            assert (await revoked.get("/v1/jobs")).status == 401
