"""What comes back from Anthropic, whole and streamed, for callers of two wires."""

import json
from typing import Any

import pytest

from adapters.providers.http import HttpProvider
from domain.dialects.surface import Head
from domain.dialects.surfaces import SURFACES
from domain.inference.events import Usage
from domain.ports.provider import ProviderReply
from tests.contract.anthropic.calls import TOOL, chat, messages
from tests.support.scripted_anthropic import (
    REDACTED,
    TEXT,
    THINKING,
    events,
    streamed,
    tool_use,
    whole,
)
from tests.support.scripted_upstream import ScriptedUpstream

COUNTED = Usage(
    input_tokens=1110,
    output_tokens=50,
    cached_input_tokens=1000,
    reasoning_tokens=20,
    cache_write_tokens=60,
    cache_write_1h_tokens=40,
)


def said(reply: ProviderReply) -> Any:
    return reply.body["choices"][0]["message"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_caller_gets_a_chat_completion(
    upstream: ScriptedUpstream, wire: HttpProvider, stream: bool
) -> None:
    upstream.script(streamed() if stream else whole())
    reply = await wire.call(chat(stream=stream))
    assert upstream.requests[0].json().get("stream", False) is stream
    assert said(reply)["content"] == "Hello there."
    assert reply.finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_of_this_wire_gets_the_message_as_it_is(
    upstream: ScriptedUpstream, wire: HttpProvider, stream: bool
) -> None:
    content = (THINKING, REDACTED, TEXT, tool_use("toolu_1", "look", {"x": "é"}))
    answering = streamed if stream else whole
    upstream.script(answering(*content, stop_reason="tool_use"))
    reply = await wire.call(messages(stream=stream))
    assert reply.body["content"] == list(content)
    assert (reply.body["stop_reason"], reply.finish_reason) == ("tool_use", "tool_calls")
    assert SURFACES["/v1/messages"].is_whole({}, reply.body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("call", [chat, messages])
async def test_the_counts_are_read_in_full(
    upstream: ScriptedUpstream, wire: HttpProvider, call: Any, stream: bool
) -> None:
    upstream.script(streamed() if stream else whole())
    reply = await wire.call(call(stream=stream))
    assert reply.usage == COUNTED
    assert reply.raw_usage is not None
    assert json.loads(reply.raw_usage)["service_tier"] == "standard"


async def test_the_events_go_on_as_they_are(upstream: ScriptedUpstream, wire: HttpProvider) -> None:
    upstream.script(streamed(THINKING, TEXT))
    seen: list[dict[str, Any]] = []
    await wire.call(messages(stream=True), seen.append)
    assert seen == events(THINKING, TEXT)


async def test_a_client_sees_our_id_our_model_and_the_usage_that_is_charged(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    upstream.script(streamed())
    outgoing = SURFACES["/v1/messages"].outgoing({}, Head("msg_ours", "anthropic/alpha", 1))
    shown: list[dict[str, Any]] = []
    await wire.call(messages(stream=True), lambda delta: shown.extend(outgoing.shown(delta)))
    shown += outgoing.closing(COUNTED)
    head = shown[0]["message"]
    assert (head["id"], head["model"]) == ("msg_ours", "anthropic/alpha")
    assert "service_tier" not in head["usage"]
    assert [event["type"] for event in shown[-2:]] == ["message_delta", "message_stop"]
    assert shown[-2]["delta"]["stop_reason"] == "end_turn"
    assert shown[-2]["usage"]["input_tokens"] == 10


@pytest.mark.parametrize("stream", [False, True])
async def test_tool_calls_come_in_openais_form(
    upstream: ScriptedUpstream, wire: HttpProvider, stream: bool
) -> None:
    content = (TEXT, tool_use("toolu_1", "look", {"x": 1}), tool_use("toolu_2", "go", {}))
    answering = streamed if stream else whole
    upstream.script(answering(*content, stop_reason="tool_use"))
    reply = await wire.call(chat(stream=stream, tools=[TOOL]))
    calls = said(reply)["tool_calls"]
    assert [call["id"] for call in calls] == ["toolu_1", "toolu_2"]
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [{"x": 1}, {}]
    assert reply.finish_reason == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
async def test_thinking_comes_readable_and_signed(
    upstream: ScriptedUpstream, wire: HttpProvider, stream: bool
) -> None:
    answering = streamed if stream else whole
    upstream.script(answering(THINKING, REDACTED, TEXT))
    answer = said(await wire.call(chat(stream=stream, reasoning_effort="low")))
    assert answer["reasoning_content"] == "A greeting."
    details = answer["reasoning_details"]
    assert [detail.get("signature") or detail["data"] for detail in details] == [
        THINKING["signature"],
        REDACTED["data"],
    ]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_in_a_schema_by_way_of_a_tool_is_text_again(
    upstream: ScriptedUpstream, wire: HttpProvider, stream: bool
) -> None:
    answering = streamed if stream else whole
    upstream.script(
        answering(tool_use("toolu_1", "gatewayz_answer", {"x": 1}), stop_reason="tool_use")
    )
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    output = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    reply = await wire.call(
        chat(stream=stream, model="claude-3-haiku-20240307", response_format=output)
    )
    assert upstream.requests[0].json()["tool_choice"] == {"type": "tool", "name": "gatewayz_answer"}
    assert json.loads(said(reply)["content"]) == {"x": 1}
    assert "tool_calls" not in said(reply)
    assert reply.finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_is_told_with_its_reason(
    upstream: ScriptedUpstream, wire: HttpProvider, stream: bool
) -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "That is harmful."}
    empty = {"type": "text", "text": ""}
    answering = streamed if stream else whole
    upstream.script(answering(empty, stop_reason="refusal", stop_details=details))
    reply = await wire.call(chat(stream=stream))
    assert said(reply)["refusal"] == "That is harmful."
    assert reply.finish_reason == "content_filter"
