"""The same request twice under one Idempotency-Key: one call, one charge, one answer."""

import asyncio
from typing import Any

from tests.support.client import Account
from tests.support.engine import RunningEngine
from tests.support.scripted_provider import answer, error

BODY: dict[str, Any] = {"model": "alpha", "messages": [{"role": "user", "content": "Say hello."}]}
PATH = "/v1/chat/completions"
KEY = {"idempotency-key": "order-7"}


async def test_at_the_same_moment_or_later_it_is_one_call_and_one_answer(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.default = answer(delay=0.2)
    replies = await asyncio.gather(*(account.post(PATH, BODY, **KEY) for _ in range(10)))
    replies.append(await account.post(PATH, BODY, **KEY))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    assert len({reply.headers["x-gatewayz-job-id"] for reply in replies}) == 1
    assert [reply.headers.get("idempotent-replayed") for reply in replies].count("true") == 10
    assert len(engine.upstream.requests) == 1
    assert len(await account.charges(replies[0].headers["x-gatewayz-job-id"])) == 1


async def test_another_input_under_the_same_key_is_refused(account: Account) -> None:
    await account.post(PATH, BODY, **KEY)
    other = {**BODY, "seed": 1}
    reply = await account.post(PATH, other, **KEY)
    assert (reply.status, reply.error["code"]) == (422, "idempotency_key_reused")


async def test_a_stream_is_repeated_as_a_stream(engine: RunningEngine, account: Account) -> None:
    body = {**BODY, "stream": True}
    first, again = await account.post(PATH, body, **KEY), await account.post(PATH, body, **KEY)
    assert again.headers["content-type"].startswith("text/event-stream")
    assert again.headers["idempotent-replayed"] == "true"
    for reply in (first, again):
        assert b"Hello" in reply.body
        assert reply.body.endswith(b"data: [DONE]\n\n")
        assert reply.body.count(b'"finish_reason":"stop"') == 1
    assert len(engine.upstream.requests) == 1


async def test_a_failure_is_repeated_too(engine: RunningEngine, account: Account) -> None:
    engine.upstream.script(error(400))
    first, again = await account.post(PATH, BODY, **KEY), await account.post(PATH, BODY, **KEY)
    assert (first.status, again.status) == (400, 400)
    assert first.error["code"] == again.error["code"]
    assert len(engine.upstream.requests) == 1


async def test_a_failure_that_may_pass_leaves_the_key_free(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.default = error(503)
    failed = await account.post(PATH, BODY, **KEY)
    engine.upstream.default = answer("at last")
    again = await account.post(PATH, BODY, **KEY)
    assert (failed.status, again.status) == (502, 200)
    assert "idempotent-replayed" not in again.headers
    assert again.headers["x-gatewayz-job-id"] != failed.headers["x-gatewayz-job-id"]
    third = await account.post(PATH, BODY, **KEY)
    assert (third.body, third.headers["idempotent-replayed"]) == (again.body, "true")
    other = await account.post(PATH, {**BODY, "seed": 1}, **KEY)
    assert other.error["code"] == "idempotency_key_reused"


async def test_a_client_that_gave_up_too_soon_may_ask_again(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.default = answer(delay=5)
    asked = asyncio.create_task(account.post(PATH, BODY, **KEY))
    async with asyncio.timeout(10):
        while not engine.upstream.requests:
            await asyncio.sleep(0.01)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    [job] = (await account.get("/v1/jobs")).json["data"]
    assert (await account.finished(job["id"]))["status"] == "cancelled"
    engine.upstream.default = answer("at last")
    assert (await account.post(PATH, BODY, **KEY)).status == 200


async def test_keys_of_two_accounts_never_meet(engine: RunningEngine, account: Account) -> None:
    other = await engine.account()
    first, second = await account.post(PATH, BODY, **KEY), await other.post(PATH, BODY, **KEY)
    assert first.headers["x-gatewayz-job-id"] != second.headers["x-gatewayz-job-id"]
    assert len(engine.upstream.requests) == 2


async def test_nobody_waits_on_for_a_client_that_left(
    engine: RunningEngine, account: Account
) -> None:
    """A job may wait in its queue for days, and be asked for any number of times meanwhile."""
    engine.upstream.default = answer(delay=10)
    first = asyncio.create_task(account.post(PATH, BODY, **KEY))
    async with asyncio.timeout(10):
        while not engine.upstream.requests:
            await asyncio.sleep(0.01)
    again = asyncio.create_task(account.post(PATH, BODY, **KEY))
    watchers = engine.engine.ports.watch._watchers
    async with asyncio.timeout(10):
        while not watchers:
            await asyncio.sleep(0.01)
    again.cancel()
    async with asyncio.timeout(5):
        while watchers:
            await asyncio.sleep(0.01)
    assert not first.done()
    first.cancel()
    await asyncio.gather(first, again, return_exceptions=True)
