"""A client that hangs up: what its key says becomes of the answer, and what it costs (P8)."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.support.client import Account, Client
from tests.support.engine import RunningEngine
from tests.support.scripted_provider import answer, chunk, stream, words

BODY: dict[str, Any] = {
    "model": "alpha",
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 2000,
}


async def key_with(account: Account, policy: str) -> Client:
    reply = await account.post("/v1/keys", {"name": policy, "on_disconnect": policy})
    assert reply.status == 201, reply.body
    return account.with_key(reply.json["api_key"])


async def hang_up_after(client: Client, body: dict[str, Any], parts: int) -> str:
    """Sends a request, reads so many parts of the reply and closes; returns the job's id."""
    headers = {"authorization": f"Bearer {client.api_key}"}
    url = f"{client.base_url}/v1/chat/completions"
    async with aiohttp.ClientSession() as session:
        response = await session.post(url, json=body, headers=headers)
        for _ in range(parts):
            await response.content.readuntil(b"\n\n")
        job_id = response.headers["x-gatewayz-job-id"]
        response.close()
    return job_id


async def hang_up_at_once(
    client: Client, account: Account, engine: RunningEngine, body: dict[str, Any] = BODY
) -> str:
    """Sends a request for a whole answer and leaves once the provider has it."""
    asked = asyncio.create_task(client.post("/v1/chat/completions", body))
    async with asyncio.timeout(10):
        while not engine.upstream.requests:
            await asyncio.sleep(0.01)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    jobs = (await account.get("/v1/jobs?limit=1")).json["data"]
    job_id: str = jobs[0]["id"]
    return job_id


async def test_by_default_the_call_ends_with_the_client_and_what_was_sent_is_paid(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.default = stream(words("one two three four"), gap=0.2)
    job_id = await hang_up_after(account, {**BODY, "stream": True}, parts=3)
    job = await account.finished(job_id)
    assert job["status"] == "cancelled"
    assert engine.upstream.requests[0].disconnected
    [charge] = await account.charges(job_id)
    assert charge["usage_source"] == "estimate"
    assert job["cost_usd"] == charge["amount_usd"] != "0.00"
    assert (await account.balance())["held_usd"] == "0.00"


@pytest.mark.parametrize("size", [10, 300_000])  # the server stops reading within a large body
async def test_a_client_that_left_before_anything_was_sent_pays_nothing(
    engine: RunningEngine, account: Account, size: int
) -> None:
    engine.upstream.default = answer(delay=5)
    body = {**BODY, "messages": [{"role": "user", "content": "x" * size}]}
    job_id = await hang_up_at_once(account, account, engine, body)
    job = await account.finished(job_id)
    assert (job["status"], job["cost_usd"]) == ("cancelled", "0.00")
    assert engine.upstream.requests[0].disconnected
    assert (await account.balance())["available_usd"] == "10.00"


@pytest.mark.parametrize("policy", ["finish", "finish_and_store"])
async def test_the_other_policies_finish_what_was_begun(
    engine: RunningEngine, account: Account, policy: str
) -> None:
    client = await key_with(account, policy)
    engine.upstream.default = stream(words("one two three four"), gap=0.05)
    job_id = await hang_up_after(client, {**BODY, "stream": True}, parts=2)
    job = await account.finished(job_id)
    assert (job["status"], job["usage"]["source"]) == ("succeeded", "provider")
    assert len(await account.charges(job_id)) == 1
    result = await account.get(f"/v1/jobs/{job_id}/result")
    if policy == "finish":
        assert (result.status, result.error["code"]) == (404, "result_not_kept")
    else:
        assert result.json["choices"][0]["message"]["content"] == "one two three four"


async def test_the_policy_of_a_key_can_be_changed_and_is_shown(account: Account) -> None:
    key_id = (await account.get("/v1/keys")).json["data"][0]["id"]
    changed = await account.send("PATCH", f"/v1/keys/{key_id}", {"on_disconnect": "finish"})
    assert changed.json["on_disconnect"] == "finish"
    assert (await account.get(f"/v1/keys/{key_id}")).json["on_disconnect"] == "finish"
    refused = await account.send("PATCH", f"/v1/keys/{key_id}", {"on_disconnect": "stop"})
    assert refused.status == 400


async def test_a_running_request_can_be_cancelled_as_a_job(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.default = answer(delay=10)
    asked = asyncio.create_task(account.post("/v1/chat/completions", BODY))
    async with asyncio.timeout(10):
        while not engine.upstream.requests:
            await asyncio.sleep(0.01)
    job_id = (await account.get("/v1/jobs?limit=1")).json["data"][0]["id"]
    await account.post(f"/v1/jobs/{job_id}/cancel")
    reply = await asked
    assert (reply.status, reply.error["code"]) == (409, "job_cancelled")
    assert reply.headers["x-gatewayz-job-id"] == job_id


async def test_what_the_provider_had_counted_till_then_stands(
    engine: RunningEngine, account: Account
) -> None:
    counted = {"prompt_tokens": 900, "completion_tokens": 50, "total_tokens": 950}
    chunks = [chunk({"content": word}, usage=counted) for word in ("one", "two", "three")]
    engine.upstream.default = stream(chunks, gap=0.2)
    job_id = await hang_up_after(account, {**BODY, "stream": True}, parts=3)
    await account.finished(job_id)
    [charge] = await account.charges(job_id)
    assert (charge["usage"]["input_tokens"], charge["usage"]["output_tokens"]) == (900, 50)
    assert charge["usage"]["source"] == "estimate"


async def test_a_key_that_is_revoked_gets_no_more_of_a_stream_and_pays_for_what_it_got(
    engine: RunningEngine, account: Account
) -> None:
    made = await account.post("/v1/keys", {"name": "short-lived"})
    client = account.with_key(made.json["api_key"])
    engine.upstream.default = stream(words("one two three four five six"), gap=0.2)
    asked = asyncio.create_task(client.post("/v1/chat/completions", {**BODY, "stream": True}))
    async with asyncio.timeout(10):
        while not engine.upstream.requests:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.7)
    await account.post(f"/v1/keys/{made.json['key']['id']}/revoke")
    reply = await asked
    assert b'"code":"api_key_revoked"' in reply.body
    assert b'finish_reason":"stop' not in reply.body
    job = await account.finished(reply.headers["x-gatewayz-job-id"])
    assert (job["status"], len(await account.charges(job["id"]))) == ("cancelled", 1)
    assert engine.upstream.requests[0].disconnected
