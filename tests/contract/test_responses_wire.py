"""A host of OpenAI's responses wire, for its own callers and for those of chat and messages."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.providers.http import HttpProvider
from adapters.providers.openai_responses import OpenAIResponsesWire
from adapters.providers.session import HttpSession
from domain.inference.events import Endpoint, Usage
from domain.ports.provider import (
    CallTimeouts,
    FailureKind,
    ProviderCall,
    ProviderFailure,
)
from tests.support.scripted_provider import Reply, ScriptedProvider, error, stream, whole
from tests.support.scripted_responses import (
    USAGE,
    call,
    event,
    events,
    message,
    reasoning,
    respond,
    respond_in_events,
    response,
)

PATIENT = CallTimeouts(connect=5, first_byte=10, chunk=10, total=20)
HI = {"role": "user", "content": "Hi."}
CALLS = (call("a", "f", '{"x":1}'), call("b", "g", "{}"))
both_ways = pytest.mark.parametrize("streamed", [False, True])


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
def wire(upstream: ScriptedProvider, session: HttpSession) -> HttpProvider:
    return HttpProvider(session, OpenAIResponsesWire(upstream.base_url, "sk-test"))


def asked(
    endpoint: Endpoint = "/v1/responses", *, streamed: bool = False, **body: Any
) -> ProviderCall:
    said = {"input": "Hi."} if endpoint == "/v1/responses" else {"messages": [HI]}
    return ProviderCall(
        endpoint=endpoint,
        native_id="alpha-native",
        body={"model": "acme/alpha", **said, **body},
        stream=streamed,
        timeouts=PATIENT,
        request_id="job_1",
    )


def scripted(streamed: bool, *output: dict[str, Any], **changes: Any) -> Reply:
    return respond_in_events(*output, **changes) if streamed else respond(*output, **changes)


# Its own callers.


async def test_a_request_is_passed_on_but_for_what_is_kept_here(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    upstream.script(respond())
    kept: dict[str, Any] = {
        "background": True,
        "store": True,
        "metadata": {"k": "v"},
        "previous_response_id": "r",
    }
    given = [{"id": "msg_1", "status": "completed", **HI}]
    await wire.call(asked(input=given, truncation="auto", **kept))
    request = upstream.requests[0]
    assert request.path == "/v1/responses"
    assert request.headers["Authorization"] == "Bearer sk-test"
    assert request.body == {
        "model": "alpha-native",
        "input": [HI],
        "truncation": "auto",
        "store": False,
    }


@both_ways
async def test_a_response_comes_as_it_is(
    upstream: ScriptedProvider, wire: HttpProvider, streamed: bool
) -> None:
    output = (reasoning("Hm.", "E"), message(), *CALLS)
    upstream.script(scripted(streamed, *output))
    reply = await wire.call(asked(streamed=streamed))
    assert reply.body == response(*output)
    assert (reply.finish_reason, reply.dropped) == ("tool_calls", ())
    assert reply.usage == Usage(
        input_tokens=11, output_tokens=7, cached_input_tokens=4, reasoning_tokens=2
    )
    assert reply.raw_usage is not None
    assert '"cached_tokens"' in reply.raw_usage


async def test_every_event_is_given_on_as_it_comes(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    upstream.script(respond_in_events())
    given: list[dict[str, Any]] = []
    await wire.call(asked(streamed=True), given.append)
    assert len(given) == len(events())
    assert given[-1]["type"] == "response.completed"


@both_ways
async def test_an_answer_at_its_limit_is_an_answer(
    upstream: ScriptedProvider, wire: HttpProvider, streamed: bool
) -> None:
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    upstream.script(scripted(streamed, **cut))
    reply = await wire.call(asked(streamed=streamed))
    assert reply.finish_reason == "length"


async def test_embeddings_are_passed_on(upstream: ScriptedProvider, wire: HttpProvider) -> None:
    reply = await wire.call(
        ProviderCall("/v1/embeddings", "embed", {"model": "x", "input": "a"}, False, PATIENT, "j")
    )
    assert len(reply.body["data"]) == 1
    assert upstream.requests[0].path == "/v1/embeddings"


# What is no answer.


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(429), "rate_limited"),
        (error(400, code="context_length_exceeded"), "context_length"),
        (respond(status="failed", error={"code": "server_error", "message": "x"}), "server_error"),
        (respond(status="in_progress"), "malformed"),
        (whole(b"<html>"), "malformed"),
    ],
)
async def test_what_is_no_answer_is_a_failure(
    upstream: ScriptedProvider, wire: HttpProvider, reply: Reply, kind: FailureKind
) -> None:
    upstream.script(reply)
    with pytest.raises(ProviderFailure) as failed:
        await wire.call(asked())
    assert failed.value.kind == kind


FAILED = event("failed", response={"error": {"code": "rate_limit_exceeded", "message": "x"}})


@pytest.mark.parametrize("endpoint", ["/v1/responses", "/v1/chat/completions"])
@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (FAILED, "rate_limited"),
        ('{"type":"error","code":"server_error","message":"x"}', "server_error"),
        ("{", "malformed"),
        (None, "truncated"),
    ],
)
async def test_a_stream_that_breaks_is_a_failure(
    upstream: ScriptedProvider,
    wire: HttpProvider,
    endpoint: Endpoint,
    last: str | None,
    kind: FailureKind,
) -> None:
    begun = events()[:-1]
    upstream.script(stream([*begun, last] if last else begun, done=False))
    with pytest.raises(ProviderFailure) as failed:
        await wire.call(asked(endpoint, streamed=True))
    assert failed.value.kind == kind


# Callers of other endpoints.


async def test_a_chat_request_is_one_for_a_response(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    upstream.script(respond())
    function = {"name": "f", "parameters": {"type": "object"}}
    schema = {"name": "n", "schema": {"type": "object"}, "strict": True}
    reply = await wire.call(
        asked(
            "/v1/chat/completions",
            messages=[{"role": "system", "content": "Be brief."}, HI],
            tools=[{"type": "function", "function": function}],
            tool_choice={"type": "function", "function": {"name": "f"}},
            response_format={"type": "json_schema", "json_schema": schema},
            reasoning_effort="low",
            max_completion_tokens=99,
            seed=4,
        )
    )
    assert upstream.requests[0].body == {
        "model": "alpha-native",
        "instructions": "Be brief.",
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Hi."}],
            }
        ],
        "tools": [{"type": "function", **function, "strict": False}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", **schema}},
        "reasoning": {"effort": "low"},
        "max_output_tokens": 99,
        "store": False,
    }
    assert reply.dropped == ("seed",)


async def test_a_talk_with_tools_keeps_its_order_and_openais_reasoning(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    upstream.script(respond())
    detail = {"type": "reasoning.text", "text": "Hm.", "signature": "E"}
    told = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    await wire.call(
        asked(
            "/v1/chat/completions",
            messages=[
                HI,
                {
                    "role": "assistant",
                    "content": "Let me see.",
                    "reasoning_details": [{**detail, "format": "openai-responses-v1"}],
                    "tool_calls": [told],
                },
                {"role": "tool", "tool_call_id": "a", "content": "4"},
            ],
        )
    )
    items = upstream.requests[0].body["input"]
    assert [item["type"] for item in items] == [
        "message",
        "reasoning",
        "message",
        "function_call",
        "function_call_output",
    ]
    assert items[1]["encrypted_content"] == "E"
    assert (items[3]["arguments"], items[4]["output"]) == ("{}", "4")


@both_ways
async def test_the_answer_is_a_chat_completion(
    upstream: ScriptedProvider, wire: HttpProvider, streamed: bool
) -> None:
    upstream.script(scripted(streamed, reasoning("Hm. So.", "E"), message(), *CALLS))
    reply = await wire.call(asked("/v1/chat/completions", streamed=streamed))
    (choice,) = reply.body["choices"]
    told = choice["message"]
    assert (told["content"], choice["finish_reason"]) == ("Hello there.", "tool_calls")
    assert told["reasoning_content"] == "Hm. So."
    assert told["reasoning_details"][0]["signature"] == "E"
    assert [one["id"] for one in told["tool_calls"]] == ["a", "b"]
    assert told["tool_calls"][0]["function"]["arguments"] == '{"x":1}'
    assert reply.usage is not None
    assert reply.usage.reasoning_tokens == USAGE["output_tokens_details"]["reasoning_tokens"]  # type: ignore[index]


@both_ways
async def test_the_answer_is_a_message(
    upstream: ScriptedProvider, wire: HttpProvider, streamed: bool
) -> None:
    upstream.script(scripted(streamed, message(), CALLS[0]))
    reply = await wire.call(asked("/v1/messages", streamed=streamed, max_tokens=99))
    assert [block["type"] for block in reply.body["content"]] == ["text", "tool_use"]
    assert reply.body["stop_reason"] == "tool_use"


@pytest.mark.parametrize("body", [{"stop": ["END"]}, {"n": 2}])
async def test_what_would_change_the_answer_is_refused_without_a_call(
    upstream: ScriptedProvider, wire: HttpProvider, body: dict[str, Any]
) -> None:
    with pytest.raises(ProviderFailure) as failed:
        await wire.call(asked("/v1/chat/completions", **body))
    assert failed.value.kind == "unsupported"
    assert upstream.requests == []
