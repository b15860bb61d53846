"""Responses in the background: made later, streamed at any time, cancelled."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.support.client import Account
from tests.support.engine import RunningEngine
from tests.support.official import openai_client
from tests.support.scripted_provider import answer, error, stream, words


@pytest.fixture
async def official(account: Account) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai_client(account) as client:
        yield client


async def in_background(official: openai.AsyncOpenAI, **fields: Any) -> Any:
    """A response that is made in the background, once it has ended."""
    response = await official.responses.create(
        model="alpha", input="Hi.", background=True, **fields
    )
    async with asyncio.timeout(20):
        while response.status in ("queued", "in_progress"):
            await asyncio.sleep(0.02)
            response = await official.responses.retrieve(response.id)
    return response


async def test_a_response_in_the_background_waits_and_ends(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    engine.upstream.default = answer("Done.", delay=0.2)
    response = await official.responses.create(model="alpha", input="Hi.", background=True)
    assert (response.status, response.background) == ("queued", True)
    ended = await in_background(official)
    assert (ended.status, ended.output_text) == ("completed", "Done.")
    assert ended.completed_at is not None


async def test_a_response_that_failed_in_the_background_says_why(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    engine.upstream.default = error(400)
    response = await in_background(official)
    assert response.status == "failed"
    assert response.error is not None


async def test_a_running_response_is_cancelled(
    official: openai.AsyncOpenAI, account: Account, engine: RunningEngine
) -> None:
    engine.upstream.default = answer(delay=30)
    response = await official.responses.create(model="alpha", input="Hi.", background=True)
    await account.running(response.id.replace("resp_", "job_"))
    cancelled = await official.responses.cancel(response.id)
    assert cancelled.status == "cancelled"
    assert (await official.responses.cancel(response.id)).status == "cancelled"


async def numbered(events: Any) -> list[tuple[int, str]]:
    return [(event.sequence_number, event.type) async for event in events]


async def test_a_response_in_the_background_is_streamed_as_it_comes(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    engine.upstream.default = stream(words("One two three."), gap=0.02)
    events = [
        event
        async for event in await official.responses.create(
            model="alpha", input="Hi.", background=True, stream=True
        )
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:3] == ["response.created", "response.queued", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert kinds.count("response.output_text.delta") > 1


async def test_a_stream_that_was_left_is_taken_up_at_its_number(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    engine.upstream.default = stream(words("One two three four."), gap=0.05)
    begun = await official.responses.create(
        model="alpha", input="Hi.", background=True, stream=True
    )
    seen, response_id = [], ""
    async for event in begun:
        seen.append((event.sequence_number, event.type))
        if event.type == "response.created":
            response_id = event.response.id
        if event.type == "response.output_text.delta":
            break
    await begun.close()
    rest = await official.responses.retrieve(response_id, stream=True, starting_after=seen[-1][0])
    told = [*seen, *await numbered(rest)]
    whole_again = await official.responses.retrieve(response_id, stream=True)
    assert told == await numbered(whole_again)
    assert [number for number, _ in told] == list(range(len(told)))
    assert told[-1][1] == "response.completed"
    after_the_end = await official.responses.retrieve(
        response_id, stream=True, starting_after=told[-1][0]
    )
    assert await numbered(after_the_end) == []


async def test_a_response_that_was_not_streamed_can_be_streamed_when_it_is_whole(
    official: openai.AsyncOpenAI,
) -> None:
    made = await in_background(official)
    events = [event async for event in await official.responses.retrieve(made.id, stream=True)]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert said == made.output_text


async def test_a_stream_that_is_cancelled_ends_and_is_charged_for_what_was_told(
    official: openai.AsyncOpenAI, account: Account, engine: RunningEngine
) -> None:
    engine.upstream.default = stream(words("One two three."), gap=0.05, hang=True, done=False)
    begun = await official.responses.create(
        model="alpha", input="Hi.", background=True, stream=True
    )
    events: list[Any] = []
    async for event in begun:
        events.append(event)
        if event.type == "response.output_text.delta" and len(events) < 8:
            await official.responses.cancel(events[0].response.id)
    assert events[-1].type == "response.failed"
    assert events[-1].response.status == "cancelled"
    (charge,) = await account.charges(events[0].response.id.replace("resp_", "job_"))
    assert charge["usage"]["source"] == "estimate"


async def test_the_same_idempotency_key_makes_one_response(account: Account) -> None:
    asked = {"model": "alpha", "input": "Hi.", "background": True}
    key = {"idempotency-key": "one"}
    first = await account.send("POST", "/v1/responses", asked, headers=key)
    second = await account.send("POST", "/v1/responses", asked, headers=key)
    assert first.json["id"] == second.json["id"]
    assert second.headers["idempotent-replayed"] == "true"
    other = await account.send("POST", "/v1/responses", {**asked, "input": "Bye."}, headers=key)
    assert other.status == 422


async def test_a_job_may_ask_for_a_response(official: openai.AsyncOpenAI, account: Account) -> None:
    body = {"model": "alpha", "input": "Hi.", "max_output_tokens": 100}
    job_id = await account.submit({"endpoint": "/v1/responses", "body": body})
    assert (await account.finished(job_id))["status"] == "succeeded"
    result = (await account.get(f"/v1/jobs/{job_id}/result")).json
    response = await official.responses.retrieve(result["id"])
    assert response.output_text == "Hello there."


async def test_a_job_cannot_go_on_with_a_response(account: Account) -> None:
    body = {"model": "alpha", "input": "Hi.", "previous_response_id": "resp_1"}
    reply = await account.post("/v1/jobs", {"endpoint": "/v1/responses", "body": body})
    assert (reply.status, reply.error["param"]) == (400, "body.previous_response_id")
