"""A chat host answers callers of Anthropic's messages, whole and streamed."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.providers.chat_quirks import ChatQuirks
from adapters.providers.http import HttpProvider
from adapters.providers.openai_chat import OpenAIChatWire
from adapters.providers.session import HttpSession
from domain.dialects.chat.turns import MessageForm
from domain.inference.events import Usage
from domain.ports.provider import (
    CallTimeouts,
    FailureKind,
    ProviderCall,
    ProviderFailure,
)
from tests.support.scripted_provider import (
    USAGE,
    Reply,
    ScriptedProvider,
    chunk,
    completion,
    error,
    stream,
    whole,
    words,
)

PATIENT = CallTimeouts(connect=5, first_byte=10, chunk=10, total=20)
HI = {"role": "user", "content": "Hi."}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
def wire(upstream: ScriptedProvider, session: HttpSession) -> HttpProvider:
    return HttpProvider(session, OpenAIChatWire(upstream.base_url, "sk-test"))


def call(*, streamed: bool = False, **body: Any) -> ProviderCall:
    return ProviderCall(
        endpoint="/v1/messages",
        native_id="alpha-native",
        body={"model": "acme/alpha", "max_tokens": 99, "messages": [HI], **body},
        stream=streamed,
        timeouts=PATIENT,
        request_id="job_1",
    )


def tool_chunks(*fragments: tuple[int, str]) -> list[str]:
    calls = [
        {"index": index, "id": f"call_{index}", "function": {"name": "f", "arguments": ""}}
        for index in sorted({index for index, _ in fragments})
    ]
    parts = [
        {"index": index, "function": {"arguments": arguments}} for index, arguments in fragments
    ]
    return [chunk({"tool_calls": [one]}) for one in [*calls, *parts]]


async def test_the_request_is_one_for_chat(upstream: ScriptedProvider, wire: HttpProvider) -> None:
    fields: dict[str, Any] = {
        "system": "Be brief.",
        "stop_sequences": ["END"],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 4000},
    }
    await wire.call(call(streamed=True, **fields))
    request = upstream.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "alpha-native",
        "messages": [{"role": "system", "content": "Be brief."}, HI],
        "max_tokens": 99,
        "stop": ["END"],
        "tools": [
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        ],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "reasoning_effort": "medium",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_answer_is_a_message(
    upstream: ScriptedProvider, wire: HttpProvider, streamed: bool
) -> None:
    reply = await wire.call(call(streamed=streamed))
    assert reply.body["content"] == [{"type": "text", "text": "Hello there."}]
    assert (reply.body["stop_reason"], reply.finish_reason) == ("end_turn", "stop")
    assert reply.usage == Usage(input_tokens=11, output_tokens=7)
    assert json.loads(reply.raw_usage or "") == USAGE


async def test_the_events_come_as_the_answer_does(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    seen: list[dict[str, Any]] = []
    await wire.call(call(streamed=True), seen.append)
    assert [event["type"] for event in seen] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


async def test_tool_calls_that_come_mixed_are_told_one_by_one(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    mixed = tool_chunks((0, '{"x":'), (1, '{"y":'), (0, "1}"), (1, "2}"))
    upstream.script(stream([*mixed, chunk({}, "tool_calls")]))
    reply = await wire.call(call(streamed=True))
    assert [(block["id"], block["input"]) for block in reply.body["content"]] == [
        ("call_0", {"x": 1}),
        ("call_1", {"y": 2}),
    ]
    assert reply.body["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    "usage",
    [
        {"x_groq": {"usage": USAGE}},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}]},
        {"choices": [], "usage": USAGE},
    ],
)
@pytest.mark.parametrize("endpoint", ["/v1/messages", "/v1/chat/completions"])
async def test_the_usage_is_found_wherever_a_host_puts_it(
    upstream: ScriptedProvider, wire: HttpProvider, usage: dict[str, Any], endpoint: Any
) -> None:
    asked = replace(call(streamed=True), endpoint=endpoint)
    upstream.script(stream([*words()[:-1], json.dumps({"id": "c", "choices": [], **usage})]))
    reply = await wire.call(asked)
    assert reply.usage == Usage(input_tokens=11, output_tokens=7)
    assert json.loads(reply.raw_usage or "") == USAGE


async def test_a_stream_may_begin_without_choices_and_end_without_its_last_word(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    first = json.dumps({"id": "", "choices": [], "prompt_filter_results": []})
    upstream.script(stream([first, *words()], done=False))
    assert (await wire.call(call(streamed=True))).body["content"][0]["text"] == "Hello there."


async def test_what_a_host_does_not_take_is_told_by_the_callers_names(
    upstream: ScriptedProvider, session: HttpSession
) -> None:
    quirks = ChatQuirks(refuses=("reasoning_effort", "user", "parallel_tool_calls"))
    wire = HttpProvider(session, OpenAIChatWire(upstream.base_url, None, quirks))
    fields: dict[str, Any] = {
        "thinking": {"type": "enabled", "budget_tokens": 4000},
        "metadata": {"user_id": "u"},
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "top_k": 4,
    }
    dropped = (await wire.call(call(**fields))).dropped
    assert dropped == ("top_k", "thinking", "metadata", "tool_choice")


async def test_what_a_host_cannot_do_is_refused_by_the_callers_name(
    upstream: ScriptedProvider, session: HttpSession
) -> None:
    quirks = ChatQuirks(refuses=("stop",))
    wire = HttpProvider(session, OpenAIChatWire(upstream.base_url, None, quirks))
    with pytest.raises(ProviderFailure) as raised:
        await wire.call(call(stop_sequences=["END"]))
    assert (raised.value.kind, upstream.requests) == ("unsupported", [])


async def test_earlier_reasoning_goes_to_a_host_that_wants_it(
    upstream: ScriptedProvider, session: HttpSession
) -> None:
    form = MessageForm(reasoning_field="reasoning_content")
    wire = HttpProvider(session, OpenAIChatWire(upstream.base_url, None, form=form))
    thinking = {"type": "thinking", "thinking": "hm", "signature": "gatewayz:other:"}
    used = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "1"}
    history = [
        HI,
        {"role": "assistant", "content": [thinking, used]},
        {"role": "user", "content": [result]},
    ]
    await wire.call(call(messages=history))
    assert upstream.requests[0].body["messages"][1]["reasoning_content"] == "hm"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(429), "rate_limited"),
        (whole({"error": {"code": 503, "message": "no"}}), "overloaded"),
        (whole(b"<html>"), "malformed"),
        (whole({"choices": []}), "truncated"),
        (whole(completion(choices=[{"message": {"content": 7}}])), "malformed"),
        (stream(words()[:3], done=False), "truncated"),
        (stream([words()[0], '{"choices": [7]}']), "malformed"),
        (stream([*words()[:3], chunk({}, "error")]), "server_error"),
        (stream([words()[0], '{"error": {"code": 500, "message": "x"}}']), "server_error"),
    ],
)
async def test_a_reply_that_is_no_whole_answer_is_a_failure(
    upstream: ScriptedProvider, wire: HttpProvider, reply: Reply, kind: FailureKind
) -> None:
    upstream.script(reply)
    with pytest.raises(ProviderFailure) as raised:
        await wire.call(call(streamed=True))
    assert raised.value.kind == kind
