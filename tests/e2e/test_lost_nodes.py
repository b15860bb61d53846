"""A node that dies with clients on it: their requests end, their holds are freed, nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.client import Account, Client, client
from tests.support.engine import ADMIN_KEY, EngineProcess, configuration, engine_process
from tests.support.scripted_provider import ScriptedProvider, answer, silence

BODY: dict[str, Any] = {"model": "alpha", "messages": [{"role": "user", "content": "Say hello."}]}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as opened:
        yield opened


async def in_flight(upstream: ScriptedProvider, count: int) -> None:
    async with asyncio.timeout(20):
        while len(upstream.requests) < count:
            await asyncio.sleep(0.01)


async def killed_in_flight(
    process: EngineProcess, caller: Client, upstream: ScriptedProvider, body: dict[str, Any]
) -> None:
    """Kills the node while a provider works on a request; its client sees the connection break."""
    asked = asyncio.create_task(caller.post("/v1/chat/completions", body))
    await in_flight(upstream, 1)
    process.kill()
    with pytest.raises(aiohttp.ClientError):
        await asked


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_request_fails_and_its_hold_is_freed(
    tmp_path: Path, upstream: ScriptedProvider, streamed: bool
) -> None:
    upstream.script(silence())
    async with engine_process(tmp_path, configuration(upstream.base_url)) as process:
        async with client(process.base_url, ADMIN_KEY) as admin:
            owner = await admin.account()
            await killed_in_flight(process, owner, upstream, {**BODY, "stream": streamed})
        await process.start()
        async with client(process.base_url, ADMIN_KEY) as admin:
            me = Account(admin, owner.account_id, owner.api_key or "")
            [job] = (await me.get("/v1/jobs")).json["data"]
            ended = await me.finished(job["id"])
            balance = await me.balance()
    assert (ended["status"], ended["error"]["code"]) == ("failed", "node_lost")
    assert (balance["held_usd"], balance["available_usd"]) == ("0.00", "10.00")
    assert len(upstream.requests) == 1


async def test_what_is_to_be_finished_and_stored_is_finished_by_the_next(
    tmp_path: Path, upstream: ScriptedProvider
) -> None:
    upstream.script(silence(), answer("at last"))
    async with engine_process(tmp_path, configuration(upstream.base_url)) as process:
        async with client(process.base_url, ADMIN_KEY) as admin:
            owner = await admin.account()
            made = await owner.post("/v1/keys", {"name": "k", "on_disconnect": "finish_and_store"})
            await killed_in_flight(process, owner.with_key(made.json["api_key"]), upstream, BODY)
        await process.start()
        async with client(process.base_url, ADMIN_KEY) as admin:
            me = Account(admin, owner.account_id, owner.api_key or "")
            [job] = (await me.get("/v1/jobs")).json["data"]
            ended = await me.finished(job["id"])
            result = (await me.get(ended["result_url"])).json
            charges = await me.charges(job["id"])
    assert ended["status"] == "succeeded"
    assert result["choices"][0]["message"]["content"] == "at last"
    assert len(charges) == 1


async def test_a_gentle_end_lets_requests_finish(
    tmp_path: Path, upstream: ScriptedProvider
) -> None:
    upstream.default = answer("in time", delay=1.0)
    async with (
        engine_process(tmp_path, configuration(upstream.base_url)) as process,
        client(process.base_url, ADMIN_KEY) as admin,
    ):
        owner = await admin.account()
        asked = asyncio.create_task(owner.post("/v1/chat/completions", BODY))
        await in_flight(upstream, 1)
        assert await process.stop() == 0
        reply = await asked
    assert reply.status == 200
    assert reply.json["choices"][0]["message"]["content"] == "in time"


async def test_a_long_answer_is_let_end_and_a_long_poll_is_not_waited_for(
    tmp_path: Path, upstream: ScriptedProvider
) -> None:
    """Beyond the five seconds that connections get which only wait."""
    upstream.default = answer("in time", delay=7.0)
    async with (
        engine_process(tmp_path, configuration(upstream.base_url)) as process,
        client(process.base_url, ADMIN_KEY) as admin,
    ):
        owner = await admin.account()
        asked = asyncio.create_task(owner.post("/v1/chat/completions", {**BODY, "stream": True}))
        await in_flight(upstream, 1)
        job_id = (await owner.get("/v1/jobs")).json["data"][0]["id"]
        polled = asyncio.create_task(owner.get(f"/v1/jobs/{job_id}?wait=60"))
        await asyncio.sleep(0.2)
        assert await process.stop() == 0
        reply, poll = await asked, await polled
    assert reply.status == 200
    assert reply.body.endswith(b"data: [DONE]\n\n")
    assert (poll.status, poll.error["code"]) == (503, "service_unavailable")
