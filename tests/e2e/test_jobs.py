"""A job over HTTP: submitting, waiting, the result, the timeline and the list."""

import asyncio

import pytest

from tests.support.client import Account, chat
from tests.support.engine import RunningEngine
from tests.support.scripted_provider import answer, completion, error, silence, whole


async def test_a_job_is_answered_with_the_endpoints_own_body(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.script(answer("Forty-two."))
    job = await account.finished(await account.submit())
    assert (job["status"], job["provider"], job["attempts"]) == ("succeeded", "h1", 1)
    result = await account.get(job["result_url"])
    assert result.status == 200
    assert result.json["choices"][0]["message"]["content"] == "Forty-two."


async def test_embeddings_are_a_job_too(account: Account) -> None:
    body = {"model": "embed", "input": ["one", "two"]}
    job_id = await account.submit({"endpoint": "/v1/embeddings", "body": body})
    assert (await account.finished(job_id))["status"] == "succeeded"
    result = (await account.get(f"/v1/jobs/{job_id}/result")).json
    assert [row["index"] for row in result["data"]] == [0, 1]


async def test_an_accepted_job_says_where_it_is(account: Account) -> None:
    reply = await account.post("/v1/jobs", chat(metadata={"order": "7"}))
    job = reply.json
    assert reply.status == 202
    assert reply.headers["location"] == f"/v1/jobs/{job['id']}"
    assert reply.headers["x-gatewayz-job-id"] == job["id"]
    assert (job["status"], job["metadata"]) == ("queued", {"order": "7"})


async def test_waiting_ends_with_the_job(engine: RunningEngine, account: Account) -> None:
    engine.upstream.script(answer(delay=0.2))
    job_id = await account.submit()
    reply = await account.get(f"/v1/jobs/{job_id}", prefer="respond-async, wait=20")
    assert reply.json["status"] == "succeeded"


async def test_waiting_ends_with_the_time_asked_for(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.script(silence())
    job_id = await account.submit()
    reply = await account.get(f"/v1/jobs/{job_id}?wait=0.05")
    assert reply.json["status"] in {"queued", "running"}
    await account.post(f"/v1/jobs/{job_id}/cancel")


async def test_there_is_no_result_before_the_end(engine: RunningEngine, account: Account) -> None:
    engine.upstream.script(silence())
    job_id = await account.submit()
    reply = await account.get(f"/v1/jobs/{job_id}/result")
    assert (reply.status, reply.error["code"]) == (409, "job_not_finished")
    await account.post(f"/v1/jobs/{job_id}/cancel")


async def test_a_failed_job_answers_with_the_failure_and_costs_nothing(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.default = error(400, message="secret upstream text")
    job = await account.finished(await account.submit())
    assert (job["status"], job["cost_usd"], job["result_url"]) == ("failed", "0.00", None)
    reply = await account.get(f"/v1/jobs/{job['id']}/result")
    assert reply.status == 400
    assert reply.error["code"] == job["error"]["code"]
    assert b"secret upstream text" not in reply.body
    assert (await account.balance())["available_usd"] == "10.00"
    assert await account.charges(job["id"]) == []


async def test_a_fault_of_the_provider_is_recorded_and_tried_again(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.script(error(503), answer("At last."))
    job = await account.finished(await account.submit())
    assert (job["status"], job["attempts"]) == ("succeeded", 2)
    assert "inference.attempt.failed" in await account.timeline(job["id"])
    assert len(await account.charges(job["id"])) == 1


async def test_a_deadline_ends_a_running_job(engine: RunningEngine, account: Account) -> None:
    engine.upstream.script(silence())
    job = await account.finished(await account.submit(chat(deadline="300ms")))
    assert (job["status"], job["error"]["code"]) == ("expired", "deadline_exceeded")
    assert engine.upstream.requests[0].disconnected
    assert (await account.balance())["held_usd"] == "0.00"


async def test_the_charge_explains_itself(engine: RunningEngine, account: Account) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}
    engine.upstream.script(whole(completion(usage=usage)))
    job = await account.finished(await account.submit(chat("word " * 1000)))
    (charge,) = await account.charges(job["id"])
    assert charge["amount_usd"] == job["cost_usd"] == "0.0011"
    lines = {line["dimension"]: line["amount_usd"] for line in charge["lines"]}
    assert lines == {"input": "0.001", "output": "0.0001"}
    assert (await account.get(f"/v1/billing/charges/{charge['id']}")).json["lines"] == charge[
        "lines"
    ]
    assert (await account.balance())["total_usd"] == "9.9989"


async def test_the_timeline_is_live_until_the_terminal_event(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.script(error(503), answer(delay=0.1))
    job_id = await account.submit()
    async with asyncio.timeout(10):
        frames = [frame async for frame in account.frames(job_id)]
    assert [frame.event for frame in frames] == await account.timeline(job_id)
    assert frames[-1].event == "inference.job.completed"


async def test_a_live_timeline_goes_on_where_it_was_left(account: Account) -> None:
    job_id = await account.submit()
    await account.finished(job_id)
    frames = [frame async for frame in account.frames(job_id)]
    rest = [frame async for frame in account.frames(job_id, frames[0].id)]
    assert rest == frames[1:]


async def test_a_timeline_shows_neither_prompt_nor_answer(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.script(answer("a most private answer"))
    job_id = await account.submit(chat("a most private question"))
    await account.finished(job_id)
    assert b"most private" not in (await account.get(f"/v1/jobs/{job_id}/events")).body


async def test_the_list_is_paged_newest_first(account: Account) -> None:
    made = [await account.submit() for _ in range(5)]
    first = (await account.get("/v1/jobs?limit=2")).json
    second = (await account.get(f"/v1/jobs?limit=2&after={first['last_id']}")).json
    third = (await account.get(f"/v1/jobs?limit=2&after={second['last_id']}")).json
    pages = [[job["id"] for job in page["data"]] for page in (first, second, third)]
    assert pages == [made[4:2:-1], made[2:0:-1], made[:1]]
    assert [page["has_more"] for page in (first, second, third)] == [True, True, False]


async def test_the_list_is_filtered(engine: RunningEngine, account: Account) -> None:
    engine.upstream.script(error(400))
    failed = await account.submit(chat(metadata={"team": "red"}))
    await account.finished(failed)
    done = await account.submit(chat(metadata={"team": "red"}))
    await account.submit(chat(metadata={"team": "blue"}))
    await account.finished(done)
    reply = await account.get("/v1/jobs?status=succeeded&metadata.team=red")
    assert [job["id"] for job in reply.json["data"]] == [done]


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/billing/ledger", "/v1/billing/charges"])
async def test_an_answer_as_of_a_position_stays_the_same(account: Account, path: str) -> None:
    await account.finished(await account.submit())
    position = (await account.get(path)).json["as_of"]
    before = (await account.get(f"{path}?as_of={position}")).body
    await account.finished(await account.submit())
    assert (await account.get(f"{path}?as_of={position}")).body == before
    assert (await account.get(path)).body != before


async def test_a_position_of_a_timeline_is_good_for_a_list_at_once(account: Account) -> None:
    for _ in range(10):
        job_id = await account.submit()
        position = (await account.get(f"/v1/jobs/{job_id}/events")).json["as_of"]
        reply = await account.get(f"/v1/jobs?as_of={position}")
        assert reply.status == 200, reply.body
        assert reply.json["data"][0]["id"] == job_id
