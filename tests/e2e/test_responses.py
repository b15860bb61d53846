"""Responses in the hands of OpenAI's own client, served by a chat host."""

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.support.client import Account
from tests.support.engine import RunningEngine
from tests.support.official import openai_client
from tests.support.scripted_provider import answer, chunk, completion, stream, whole

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


@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_what_goes_on_is_bounded_as_a_request_is(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    address = "data:image/png;base64," + "A" * (engine.engine.ports.limits.max_body_bytes * 2 // 3)
    picture: Any = [{"type": "input_image", "image_url": address, "detail": "auto"}]
    turn: Any = [{"role": "user", "content": picture}]
    first = await official.responses.create(model="alpha", input=turn)
    with pytest.raises(openai.APIStatusError) as refused:
        await official.responses.create(model="alpha", previous_response_id=first.id, input=turn)
    assert refused.value.status_code == 413


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
