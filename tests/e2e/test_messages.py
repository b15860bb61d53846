"""Messages for Anthropic's own client, served by a host that speaks OpenAI's wire."""

import json
from collections.abc import AsyncIterator

import anthropic
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import MessageParam, ToolParam

from tests.support.client import Account
from tests.support.engine import RunningEngine
from tests.support.official import anthropic_client
from tests.support.scripted_provider import answer, chunk, completion, error, stream, whole, words

HELLO: list[MessageParam] = [{"role": "user", "content": "Say hello."}]
WEATHER: ToolParam = {
    "name": "weather",
    "description": "The weather at a place.",
    "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}},
}


@pytest.fixture
async def client(account: Account) -> AsyncIterator[AsyncAnthropic]:
    async with anthropic_client(account) as opened:
        yield opened


async def test_a_message_is_answered_whole(engine: RunningEngine, client: AsyncAnthropic) -> None:
    engine.upstream.script(answer("Forty-two."))
    message = await client.messages.create(
        model="alpha", max_tokens=100, messages=HELLO, system="Be brief."
    )
    assert [block.text for block in message.content if block.type == "text"] == ["Forty-two."]
    assert (message.model, message.role, message.stop_reason) == (
        "acme/alpha",
        "assistant",
        "end_turn",
    )
    assert (message.usage.input_tokens, message.usage.output_tokens) == (11, 7)
    assert engine.upstream.requests[0].body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Say hello."},
    ]


async def test_a_message_is_streamed(engine: RunningEngine, client: AsyncAnthropic) -> None:
    engine.upstream.script(stream(words("one two three")))
    async with client.messages.stream(model="alpha", max_tokens=100, messages=HELLO) as events:
        texts = [text async for text in events.text_stream]
        final = await events.get_final_message()
    assert len(texts) > 1
    assert "".join(texts) == "one two three"
    assert final.stop_reason == "end_turn"
    assert (final.usage.input_tokens, final.usage.output_tokens) == (11, 7)


async def test_a_tool_is_called_and_its_result_is_taken(
    engine: RunningEngine, client: AsyncAnthropic
) -> None:
    call = {"id": "call_1", "type": "function"}
    called = {"function": {"name": "weather", "arguments": '{"place": "Oslo"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [{**call, **called}]}
    choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    engine.upstream.script(whole(completion(choices=choices)), answer("Rain."))
    asked = await client.messages.create(
        model="alpha", max_tokens=100, messages=HELLO, tools=[WEATHER]
    )
    [block] = asked.content
    assert block.type == "tool_use"
    assert (asked.stop_reason, block.name, block.input) == (
        "tool_use",
        "weather",
        {"place": "Oslo"},
    )
    told = await client.messages.create(
        model="alpha",
        max_tokens=100,
        tools=[WEATHER],
        messages=[
            *HELLO,
            {"role": "assistant", "content": asked.content},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": block.id, "content": "rain"}],
            },
        ],
    )
    assert told.content[0].type == "text"
    sent = engine.upstream.requests[1].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert sent[2]["tool_call_id"] == sent[1]["tool_calls"][0]["id"]


async def test_parallel_tool_calls_are_streamed_as_blocks_of_their_own(
    engine: RunningEngine, client: AsyncAnthropic
) -> None:
    def piece(index: int, arguments: str, **more: object) -> str:
        function = {"arguments": arguments, **more}
        head = {"id": f"call_{index}", "type": "function"} if more else {}
        return chunk({"tool_calls": [{"index": index, **head, "function": function}]})

    engine.upstream.script(
        stream(
            [
                piece(0, "", name="weather"),
                piece(0, '{"place":'),
                piece(1, "", name="weather"),
                piece(1, '{"place": "B"}'),
                piece(0, ' "A"}'),
                chunk({}, "tool_calls"),
            ]
        )
    )
    async with client.messages.stream(
        model="alpha", max_tokens=100, messages=HELLO, tools=[WEATHER]
    ) as events:
        final = await events.get_final_message()
    inputs = [block.input for block in final.content if block.type == "tool_use"]
    assert inputs == [{"place": "A"}, {"place": "B"}]
    assert final.stop_reason == "tool_use"


async def test_errors_are_in_the_shape_that_the_client_knows(
    engine: RunningEngine, client: AsyncAnthropic, account: Account
) -> None:
    with pytest.raises(anthropic.NotFoundError) as unknown:
        await client.messages.create(model="nothing", max_tokens=10, messages=HELLO)
    assert unknown.value.type == "not_found_error"
    refused = await account.post("/v1/messages", {"model": "alpha", "messages": HELLO})
    assert (refused.status, refused.json["type"]) == (400, "error")
    assert refused.json["error"]["type"] == "invalid_request_error"
    assert refused.json["request_id"] == refused.headers["x-request-id"]
    stranger = await account.with_key("gw_live_nobody").post("/v1/messages", {})
    assert (stranger.status, stranger.json["error"]["type"]) == (401, "authentication_error")


async def test_a_stream_that_breaks_ends_in_an_error_event(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.default = stream(words("one two three")[:4], done=False, cut=True)
    body = {"model": "alpha", "max_tokens": 100, "messages": HELLO, "stream": True}
    reply = await account.post("/v1/messages", body)
    *_, last, rest = reply.body.split(b"\n\n")
    name, _, data = last.partition(b"\n")
    assert (name, rest) == (b"event: error", b"")
    assert json.loads(data.removeprefix(b"data: "))["error"]["code"] == "stream_interrupted"
    assert b"message_stop" not in reply.body


async def test_a_fault_before_the_first_word_is_an_ordinary_error(
    engine: RunningEngine, client: AsyncAnthropic
) -> None:
    engine.upstream.default = error(400)
    with pytest.raises(anthropic.BadRequestError):
        async with client.messages.stream(model="alpha", max_tokens=100, messages=HELLO) as events:
            await events.get_final_message()
