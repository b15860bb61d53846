"""Responses and old completions in the hands of OpenAI's own client, served by a chat host."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.support.client import Account
from tests.support.engine import RunningEngine
from tests.support.official import openai_client
from tests.support.scripted_provider import answer, chunk, completion, error, stream, whole, words

TOOL: Any = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


class Weather(BaseModel):
    """The answer that is asked for."""

    city: str
    degrees: int


@pytest.fixture
async def official(account: Account) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai_client(account) as client:
        yield client


def called(*calls: tuple[str, str, str]) -> Any:
    """A whole chat completion that calls tools: id, name and arguments of each."""
    told = [
        {"id": call, "type": "function", "function": {"name": name, "arguments": arguments}}
        for call, name, arguments in calls
    ]
    message = {"role": "assistant", "content": None, "tool_calls": told}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return whole({**completion(), "choices": [choice]})


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


async def test_a_response_is_answered_whole(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    response = await official.responses.create(
        model="alpha", input="Hi.", instructions="Be brief.", max_output_tokens=50
    )
    assert (response.output_text, response.status) == ("Hello there.", "completed")
    assert (response.model, response.instructions) == ("acme/alpha", "Be brief.")
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (11, 7)
    assert engine.upstream.requests[0].body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi."},
    ]


async def test_a_response_is_streamed(official: openai.AsyncOpenAI) -> None:
    async with official.responses.stream(model="alpha", input="Hi.") as streamed:
        events = [event async for event in streamed]
        final = await streamed.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert said == final.output_text == "Hello there."
    assert final.usage is not None
    assert final.usage.total_tokens == 18


async def test_tools_are_called_and_their_results_sent_back(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    engine.upstream.script(
        called(("a", "weather", '{"city":"Bonn"}'), ("b", "weather", '{"city":"Köln"}')),
        answer("Rain."),
    )
    first = await official.responses.create(
        model="alpha", input="w?", tools=[TOOL], max_output_tokens=100
    )
    calls = [item for item in first.output if item.type == "function_call"]
    assert [json.loads(call.arguments)["city"] for call in calls] == ["Bonn", "Köln"]
    results: Any = [
        {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
        for call in calls
    ]
    second = await official.responses.create(
        model="alpha", previous_response_id=first.id, input=results, max_output_tokens=100
    )
    assert (second.output_text, second.previous_response_id) == ("Rain.", first.id)
    asked = engine.upstream.requests[1].body["messages"]
    assert [message["role"] for message in asked] == ["user", "assistant", "tool", "tool"]
    assert [call["id"] for call in asked[1]["tool_calls"]] == ["a", "b"]


async def test_a_streamed_call_of_a_tool_adds_up(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    call = {"index": 0, "id": "a", "type": "function"}
    chunks = [
        chunk({"tool_calls": [{**call, "function": {"name": "weather", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Bonn"}'}}]}),
        chunk({}, "tool_calls"),
    ]
    engine.upstream.script(stream(chunks))
    async with official.responses.stream(model="alpha", input="w?", tools=[TOOL]) as streamed:
        final = await streamed.get_final_response()
    (item,) = final.output
    assert item.type == "function_call"
    assert (item.call_id, json.loads(item.arguments)) == ("a", {"city": "Bonn"})


async def test_a_structured_answer_is_parsed(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    engine.upstream.script(answer('{"city":"Bonn","degrees":7}'))
    response = await official.responses.parse(
        model="alpha", input="w?", text_format=Weather, max_output_tokens=100
    )
    assert response.output_parsed == Weather(city="Bonn", degrees=7)
    asked = engine.upstream.requests[0].body["response_format"]
    assert (asked["type"], asked["json_schema"]["strict"]) == ("json_schema", True)


async def test_an_answer_at_its_limit_is_incomplete(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    engine.upstream.script(stream([chunk({"content": "Hel"}), chunk({}, "length")]))
    async with official.responses.stream(model="alpha", input="Hi.") as streamed:
        events = [event async for event in streamed]
    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details is not None
    assert last.response.incomplete_details.reason == "max_output_tokens"


async def test_a_stream_that_breaks_off_ends_with_a_failed_response(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    engine.upstream.script(stream([chunk({"content": "Hel"})], done=False, cut=True))
    async with official.responses.stream(model="alpha", input="Hi.") as streamed:
        events = [event async for event in streamed]
    assert events[-1].type == "response.failed"
    assert events[-1].response.status == "failed"


async def test_what_only_openai_runs_is_refused_before_anything_is_called(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    tools: Any = [{"type": "web_search"}]
    with pytest.raises(openai.BadRequestError) as refused:
        await official.responses.create(model="alpha", input="Hi.", tools=tools)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "tools[0].type")
    assert engine.upstream.requests == []


async def test_a_kept_response_is_read_again_with_its_input(official: openai.AsyncOpenAI) -> None:
    made = await official.responses.create(
        model="alpha", input="Hi.", metadata={"k": "v"}, max_output_tokens=50
    )
    again = await official.responses.retrieve(made.id)
    assert again.to_dict() | {"completed_at": None} == made.to_dict() | {"completed_at": None}
    items = await official.responses.input_items.list(made.id)
    (item,) = items.data
    assert item.to_dict()["content"] == [{"type": "input_text", "text": "Hi."}]


async def test_a_response_that_was_not_to_be_kept_is_not(official: openai.AsyncOpenAI) -> None:
    made = await official.responses.create(
        model="alpha", input="Hi.", store=False, max_output_tokens=50
    )
    with pytest.raises(openai.NotFoundError):
        await official.responses.retrieve(made.id)
    with pytest.raises(openai.NotFoundError) as missing:
        await official.responses.create(model="alpha", input="And?", previous_response_id=made.id)
    assert missing.value.code == "previous_response_not_found"


async def test_another_account_sees_nothing_of_a_response(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    made = await official.responses.create(model="alpha", input="Hi.", max_output_tokens=50)
    stranger = await engine.account()
    assert (await stranger.get(f"/v1/responses/{made.id}")).status == 404


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
    events = []
    async for event in begun:
        events.append(event)
        if event.type == "response.output_text.delta" and len(events) < 8:
            await official.responses.cancel(events[0].response.id)
    assert events[-1].type == "response.failed"
    assert events[-1].response.status == "cancelled"
    (charge,) = await account.charges(events[0].response.id.replace("resp_", "job_"))
    assert charge["usage"]["source"] == "estimate"


async def test_a_completion_is_answered_whole(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    completed = await official.completions.create(model="alpha", prompt="Say hi.")
    assert completed.choices[0].text == "Hello there."
    assert completed.usage is not None
    assert completed.usage.total_tokens == 18
    assert engine.upstream.requests[0].body["max_tokens"] == 16


async def test_a_completion_is_streamed(official: openai.AsyncOpenAI) -> None:
    chunks = [
        one
        async for one in await official.completions.create(
            model="alpha",
            prompt="Say hi.",
            max_tokens=2000,
            stream=True,
            stream_options={"include_usage": True},
        )
    ]
    said = "".join(one.choices[0].text for one in chunks if one.choices)
    assert said == "Hello there."
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None


async def test_a_prompt_of_token_ids_is_refused(official: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await official.completions.create(model="alpha", prompt=[1, 2, 3])
    assert refused.value.code == "unsupported_parameter"
