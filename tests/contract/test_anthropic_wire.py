"""The wire `anthropic-messages` against recorded replies: requests, answers, usage, errors."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.providers.anthropic import AnthropicWire
from adapters.providers.credential import Credential
from adapters.providers.http import HttpProvider
from adapters.providers.session import HttpSession
from domain.dialects.surface import Head
from domain.dialects.surfaces import SURFACES
from domain.inference.events import Endpoint, Usage
from domain.ports.provider import (
    CallTimeouts,
    FailureKind,
    ProviderCall,
    ProviderFailure,
    ProviderReply,
)
from tests.support.scripted_anthropic import (
    REDACTED,
    TEXT,
    THINKING,
    error,
    error_event,
    events,
    message,
    sse,
    streamed,
    tool_use,
    whole,
)
from tests.support.scripted_upstream import ScriptedUpstream, sending

PATIENT = CallTimeouts(connect=5, first_byte=10, chunk=10, total=20)
ASKED: list[dict[str, Any]] = [{"role": "user", "content": "Say hello."}]
COUNTED = Usage(
    input_tokens=1110,
    output_tokens=50,
    cached_input_tokens=1000,
    reasoning_tokens=20,
    cache_write_tokens=60,
    cache_write_1h_tokens=40,
)
TOOL = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as provider:
        yield provider


@pytest.fixture
async def wire(upstream: ScriptedUpstream) -> AsyncIterator[HttpProvider]:
    session = HttpSession()
    yield HttpProvider(session, AnthropicWire(upstream.base_url, "sk-ant-1"))
    await session.close()


def chat(*, stream: bool = False, model: str = "claude-sonnet-4-5", **body: Any) -> ProviderCall:
    return ProviderCall(
        endpoint="/v1/chat/completions",
        native_id=model,
        body={"model": "anthropic/alpha", "messages": ASKED, **body},
        stream=stream,
        timeouts=PATIENT,
        request_id="job_1",
        max_output_tokens=64_000,
    )


def messages(*, stream: bool = False, **body: Any) -> ProviderCall:
    asked = {"model": "anthropic/alpha", "max_tokens": 99, "messages": ASKED, **body}
    endpoint: Endpoint = "/v1/messages"
    return replace(chat(stream=stream), endpoint=endpoint, body=asked)


async def sent(upstream: ScriptedUpstream, wire: HttpProvider, call: ProviderCall) -> Any:
    upstream.script(whole())
    await wire.call(call)
    return upstream.requests[-1].json()


async def failure(wire: HttpProvider, call: ProviderCall) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as raised:
        await wire.call(call)
    return raised.value


def said(reply: ProviderReply) -> Any:
    return reply.body["choices"][0]["message"]


# The request.


async def test_the_request_has_anthropics_headers(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    await sent(upstream, wire, messages())
    request = upstream.requests[0]
    assert request.path == "/v1/messages"
    assert request.headers["x-api-key"] == "sk-ant-1"
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in request.headers


THINKING_BETA, NEW_BETA = "interleaved-thinking-2025-05-14", "new-2099-01-01"


async def test_betas_go_as_a_header_and_one_that_is_not_known_stays(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    upstream.script(whole())
    reply = await wire.call(messages(anthropic_beta=[THINKING_BETA, NEW_BETA]))
    request = upstream.requests[0]
    assert request.headers["anthropic-beta"] == THINKING_BETA
    assert "anthropic_beta" not in request.json()
    assert reply.dropped == (f"anthropic_beta[{NEW_BETA}]",)


async def test_under_the_customers_own_key_every_beta_goes(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    upstream.script(whole())
    call = messages(anthropic_beta=[THINKING_BETA, NEW_BETA])
    reply = await wire.call(replace(call, own_key="pkey_1"))
    assert upstream.requests[0].headers["anthropic-beta"] == f"{THINKING_BETA},{NEW_BETA}"
    assert reply.dropped == ()


async def test_without_betas_there_is_no_header_for_them(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    await sent(upstream, wire, messages())
    await sent(upstream, wire, messages(anthropic_beta=[NEW_BETA]))
    assert all("anthropic-beta" not in one.headers for one in upstream.requests)


async def test_the_operators_own_betas_stay(upstream: ScriptedUpstream) -> None:
    session = HttpSession()
    credential = Credential("k", extra={"anthropic-beta": "ours-1"})
    upstream.script(whole())
    await HttpProvider(session, AnthropicWire(upstream.base_url, credential)).call(
        messages(anthropic_beta=[THINKING_BETA])
    )
    await session.close()
    assert upstream.requests[0].headers["anthropic-beta"] == f"ours-1,{THINKING_BETA}"


async def test_an_address_with_the_version_and_another_header_are_taken(
    upstream: ScriptedUpstream,
) -> None:
    session = HttpSession()
    credential = Credential("k", extra={"anthropic-version": "2099-01-01"})
    upstream.script(whole())
    await HttpProvider(session, AnthropicWire(f"{upstream.base_url}/v1/", credential)).call(
        messages()
    )
    await session.close()
    request = upstream.requests[0]
    assert request.path == "/v1/messages"
    assert request.headers["authorization"] == "Bearer k"
    assert request.headers["anthropic-version"] == "2099-01-01"


async def test_a_caller_of_this_wire_is_passed_through(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    fields: dict[str, Any] = {
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "context_management": {"edits": []},
        "temperature": 1.5,
    }
    body = await sent(upstream, wire, messages(**fields))
    assert body == {"model": "claude-sonnet-4-5", "max_tokens": 99, "messages": ASKED, **fields}


async def test_a_limit_above_the_models_is_lowered_and_told(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    upstream.script(whole(), whole())
    passed = await wire.call(messages(max_tokens=65_000))
    translated = await wire.call(chat(max_tokens=65_000))
    assert [request.json()["max_tokens"] for request in upstream.requests] == [64_000, 64_000]
    assert passed.dropped == translated.dropped == ("max_tokens",)


async def test_thinking_of_other_vendors_does_not_reach_anthropic(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    foreign = {"type": "thinking", "thinking": "hm", "signature": "gatewayz:google:S"}
    history = [*ASKED, {"role": "assistant", "content": [foreign, TEXT]}, *ASKED]
    body = await sent(upstream, wire, messages(messages=history))
    assert body["messages"][1]["content"] == [TEXT]
    assert history[1]["content"] == [foreign, TEXT]


async def test_a_chat_request_becomes_a_messages_request(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    system = {"role": "system", "content": "Be brief."}
    body = await sent(
        upstream,
        wire,
        chat(
            messages=[system, *ASKED],
            tools=[TOOL],
            tool_choice="required",
            parallel_tool_calls=False,
            stop=["END"],
            temperature=0.5,
            max_completion_tokens=7,
        ),
    )
    assert body == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 7,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}],
        "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "stop_sequences": ["END"],
        "temperature": 0.5,
    }


async def test_what_anthropic_does_not_take_is_told_by_the_callers_names(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    upstream.script(whole())
    call = chat(model="claude-opus-4-7", seed=1, temperature=0.7, logit_bias={"1": 1})
    assert (await wire.call(call)).dropped == ("logit_bias", "seed", "temperature")
    assert "temperature" not in upstream.requests[0].json()


@pytest.mark.parametrize(
    "body",
    [
        {"n": 2},
        {"messages": [*ASKED, {"role": "assistant", "content": "The"}]},
        {"modalities": ["text", "audio"]},
        {"web_search_options": {}},
    ],
)
async def test_what_would_change_the_answer_is_refused_without_a_call(
    upstream: ScriptedUpstream, wire: HttpProvider, body: dict[str, Any]
) -> None:
    failed = await failure(wire, chat(model="claude-opus-4-7", **body))
    assert (failed.kind, upstream.requests) == ("unsupported", [])


async def test_a_request_that_makes_no_sense_is_the_callers_fault(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    failed = await failure(wire, chat(messages=[{"role": "wizard", "content": "x"}]))
    assert (failed.kind, upstream.requests) == ("bad_request", [])


# The answer.


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


# Failures.


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, "messages: at least one message is required", "bad_request"),
        (400, "prompt is too long: 208310 tokens > 200000 maximum", "context_length"),
        (400, "input length and `max_tokens` exceed context limit: 9 + 9 > 10", "context_length"),
        (400, "Your credit balance is too low to access the Anthropic API.", "quota"),
        (401, "invalid x-api-key", "auth"),
        (402, "billing", "quota"),
        (403, "no", "auth"),
        (404, "model: claude-x", "not_found"),
        (413, "Request exceeds the maximum size", "too_large"),
        (429, "This request would exceed your organization's rate limit", "rate_limited"),
        (500, "Internal server error", "server_error"),
        (504, "timeout", "overloaded"),
        (529, "Overloaded", "overloaded"),
    ],
)
async def test_an_error_says_what_went_wrong(
    upstream: ScriptedUpstream, wire: HttpProvider, status: int, text: str, kind: FailureKind
) -> None:
    upstream.script(error(status, text, retry_after="3"))
    failed = await failure(wire, messages())
    assert (failed.kind, failed.status_code, failed.retry_after) == (kind, status, 3.0)
    assert text not in failed.message


@pytest.mark.parametrize("call", [chat, messages])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded_error", "overloaded"),
        ("api_error", "server_error"),
        ("rate_limit_error", "rate_limited"),
        ("authentication_error", "auth"),
        ("billing_error", "quota"),
    ],
)
async def test_an_error_within_a_stream_is_a_failure(
    upstream: ScriptedUpstream, wire: HttpProvider, call: Any, kind: str, expected: FailureKind
) -> None:
    content = sse([*events()[:4], error_event(kind)])
    upstream.script(sending(content, "text/event-stream"))
    assert (await failure(wire, call(stream=True))).kind == expected


@pytest.mark.parametrize("call", [chat, messages])
async def test_a_stream_that_ends_early_is_truncated(
    upstream: ScriptedUpstream, wire: HttpProvider, call: Any
) -> None:
    upstream.script(sending(sse(events()[:-2]), "text/event-stream"))
    assert (await failure(wire, call(stream=True))).kind == "truncated"


@pytest.mark.parametrize("call", [chat, messages])
async def test_a_stream_without_its_last_word_is_whole(
    upstream: ScriptedUpstream, wire: HttpProvider, call: Any
) -> None:
    upstream.script(sending(sse(events()[:-1]), "text/event-stream", cut=True))
    assert (await wire.call(call(stream=True))).finish_reason == "stop"


@pytest.mark.parametrize("call", [chat, messages])
@pytest.mark.parametrize("content", [b"<html>Bad gateway</html>", b"[]", b"7"])
async def test_a_reply_that_is_no_object_is_malformed(
    upstream: ScriptedUpstream, wire: HttpProvider, call: Any, content: bytes
) -> None:
    upstream.script(sending(content))
    assert (await failure(wire, call())).kind == "malformed"


@pytest.mark.parametrize(
    "body",
    [
        {"type": "message"},
        message({"type": "text", "text": 7}),
        message({"type": "thinking", "thinking": ["a"], "signature": "S"}),
        message({"type": "tool_use", "name": "f", "input": {}}),
        message(stop_reason="burst"),
        message(stop_reason=""),
    ],
)
async def test_what_is_no_message_is_no_answer_to_chat(
    upstream: ScriptedUpstream, wire: HttpProvider, body: dict[str, Any]
) -> None:
    upstream.script(sending(body))
    assert (await failure(wire, chat())).kind in {"malformed", "truncated"}


@pytest.mark.parametrize(
    "body",
    [
        {"type": "content_block_start", "index": 0},
        {"type": "content_block_start", "index": [], "content_block": dict(TEXT)},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 7}},
        {"type": "message_delta"},
    ],
)
@pytest.mark.parametrize("call", [chat, messages])
async def test_an_event_of_the_wrong_shape_is_malformed(
    upstream: ScriptedUpstream, wire: HttpProvider, call: Any, body: dict[str, Any]
) -> None:
    content = sse([*events()[:3], body, *events()[3:]])
    upstream.script(sending(content, "text/event-stream"))
    assert (await failure(wire, call(stream=True))).kind == "malformed"
