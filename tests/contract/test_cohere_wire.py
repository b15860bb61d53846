"""Cohere as a provider: what goes out, what comes back, and what is no answer."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.providers.cohere.wire import CohereWire
from adapters.providers.credential import Credential
from adapters.providers.http import HttpProvider
from adapters.providers.session import HttpSession
from domain.inference.events import Usage
from domain.ports.provider import (
    CallTimeouts,
    FailureKind,
    ProviderCall,
    ProviderFailure,
    ProviderReply,
)
from tests.support.scripted_cohere import USAGE, call, events, message, streamed
from tests.support.scripted_upstream import ScriptedUpstream, sending

PATIENT = CallTimeouts(connect=5, first_byte=10, chunk=10, total=20)
MESSAGES = [{"role": "user", "content": "Say hello."}]
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
CALLS = [call("c1", "weather", '{"city": "Oslo"}'), call("c2", "clock", "")]
BODIES = {
    "text": message("Hello there."),
    "thinking": message("Hello there.", thinking="Let me see."),
    "tools": message("", "TOOL_CALL", plan="I will ask both.", calls=CALLS),
}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture
async def cohere(upstream: ScriptedUpstream) -> AsyncIterator[HttpProvider]:
    session = HttpSession()
    yield HttpProvider(session, CohereWire(upstream.base_url, Credential("co-key")))
    await session.close()


def chat(*, streaming: bool = False, **body: Any) -> ProviderCall:
    return ProviderCall(
        endpoint="/v1/chat/completions",
        native_id="command-a-03-2025",
        body={"model": "cohere/command-a", "messages": MESSAGES, **body},
        stream=streaming,
        timeouts=PATIENT,
        request_id="job_1",
        max_output_tokens=8_000,
    )


def embed(given: object, **body: Any) -> ProviderCall:
    body = {"model": "cohere/embed-v4", "input": given, **body}
    return replace(chat(), endpoint="/v1/embeddings", native_id="embed-v4.0", body=body)


async def failure(provider: HttpProvider, call: ProviderCall) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as raised:
        await provider.call(call)
    return raised.value


def told(reply: ProviderReply) -> dict[str, Any]:
    body: dict[str, Any] = reply.body["choices"][0]["message"]
    return body


# What goes out.


async def test_a_call_carries_the_native_model_and_the_key(
    upstream: ScriptedUpstream, cohere: HttpProvider
) -> None:
    upstream.script(sending(BODIES["text"]))
    await cohere.call(chat(top_p=1, top_k=5, stop=["a"], max_tokens=9, seed=3))
    sent = upstream.requests[0]
    assert sent.path == "/v2/chat"
    assert sent.headers["authorization"] == "Bearer co-key"
    assert sent.json() == {
        "model": "command-a-03-2025",
        "messages": MESSAGES,
        "p": 0.99,
        "k": 5,
        "seed": 3,
        "max_tokens": 9,
        "stop_sequences": ["a"],
        "stream": False,
    }


async def test_what_the_wire_lacks_is_named_as_the_caller_named_it(
    upstream: ScriptedUpstream, cohere: HttpProvider
) -> None:
    upstream.script(sending(BODIES["text"]))
    asked: dict[str, Any] = {
        "user": "u",
        "logit_bias": {"1": 1},
        "temperature": 1.5,
        "presence_penalty": -1,
        "max_completion_tokens": 9_000,
        "logprobs": True,
    }
    reply = await cohere.call(chat(**asked))
    assert set(reply.dropped) == set(asked)
    body = upstream.requests[0].json()
    assert (body["temperature"], body["max_tokens"]) == (1, 8_000)
    assert "presence_penalty" not in body


@pytest.mark.parametrize(
    "body",
    [
        {"n": 2},
        {"stop": list("abcdef")},
        {"tools": [WEATHER], "response_format": {"type": "json_object"}},
        {"messages": [{"role": "user", "content": [
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {
            "file_data": "data:application/pdf;base64,JVBE"}}]}]},
    ],
)  # fmt: skip
async def test_what_would_be_another_answer_is_refused_without_a_call(
    upstream: ScriptedUpstream, cohere: HttpProvider, body: dict[str, Any]
) -> None:
    assert (await failure(cohere, chat(**body))).kind == "unsupported"
    assert upstream.requests == []


# What comes back.


@pytest.mark.parametrize("streaming", [False, True])
async def test_an_answer_comes_with_what_is_charged(
    upstream: ScriptedUpstream, cohere: HttpProvider, streaming: bool
) -> None:
    body = BODIES["text"]
    upstream.script(streamed(events(body)) if streaming else sending(body))
    reply = await cohere.call(chat(streaming=streaming))
    assert upstream.requests[0].json()["stream"] is streaming
    assert (told(reply)["content"], reply.finish_reason) == ("Hello there.", "stop")
    assert reply.usage == Usage(input_tokens=11, output_tokens=7, cached_input_tokens=4)
    assert reply.raw_usage == json.dumps(USAGE)


@pytest.mark.parametrize("name", BODIES)
async def test_a_stream_says_what_the_whole_reply_says(
    upstream: ScriptedUpstream, cohere: HttpProvider, name: str
) -> None:
    upstream.script(sending(BODIES[name]), streamed(events(BODIES[name])))
    assert await cohere.call(chat(streaming=True)) == await cohere.call(chat())


@pytest.mark.parametrize("portion", [1, 3, 50])
async def test_events_in_any_portions_read_the_same(
    upstream: ScriptedUpstream, cohere: HttpProvider, portion: int
) -> None:
    body = message("Grüße, 世界.", thinking="Denke nach…", calls=CALLS)
    upstream.script(streamed(events(body)), streamed(events(body), portion=portion))
    deltas: list[list[dict[str, Any]]] = [[], []]
    whole, parts = [await cohere.call(chat(streaming=True), one.append) for one in deltas]
    assert parts == whole
    assert deltas[0] == deltas[1]


@pytest.mark.parametrize("streaming", [False, True])
async def test_parallel_calls_and_their_plan_go_there_and_back(
    upstream: ScriptedUpstream, cohere: HttpProvider, streaming: bool
) -> None:
    body = BODIES["tools"]
    upstream.script(streamed(events(body)) if streaming else sending(body), sending(BODIES["text"]))
    asked = chat(streaming=streaming, tools=[WEATHER])
    reply = await cohere.call(asked)
    answer = told(reply)
    assert reply.finish_reason == "tool_calls"
    assert answer["reasoning_content"] == "I will ask both."
    results = [
        {"role": "tool", "tool_call_id": "c1", "content": '{"rain": true}'},
        {"role": "tool", "tool_call_id": "c2", "content": "noon"},
    ]
    again = {**asked.body, "messages": [*MESSAGES, answer, *results]}
    await cohere.call(replace(asked, stream=False, body=again))
    messages = upstream.requests[1].json()["messages"]
    assert messages[1] == {
        "role": "assistant",
        "tool_calls": [CALLS[0], call("c2", "clock", "{}")],
        "tool_plan": "I will ask both.",
    }
    data = [message["content"][0]["document"]["data"] for message in messages[2:]]
    assert data == [{"rain": True}, {"result": "noon"}]


async def test_events_without_an_index_belong_to_the_last_call(
    upstream: ScriptedUpstream, cohere: HttpProvider
) -> None:
    bare = [
        {name: value for name, value in event.items() if name != "index"}
        for event in events(BODIES["tools"])
    ]
    upstream.script(streamed(bare))
    calls = told(await cohere.call(chat(streaming=True)))["tool_calls"]
    assert [one["id"] for one in calls] == ["c1", "c2"]
    assert calls[0]["function"]["arguments"] == '{"city": "Oslo"}'


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_caller_of_messages_gets_plan_and_calls_and_sends_them_back(
    upstream: ScriptedUpstream, cohere: HttpProvider, streaming: bool
) -> None:
    body = BODIES["tools"]
    upstream.script(streamed(events(body)) if streaming else sending(body), sending(BODIES["text"]))
    tool = {"name": "weather", "input_schema": {"type": "object"}}
    asked = {"messages": MESSAGES, "max_tokens": 99, "tools": [tool], "system": "Be brief."}
    first = replace(chat(streaming=streaming), endpoint="/v1/messages", body=asked)
    reply = await cohere.call(first)
    assert reply.body["stop_reason"] == "tool_use"
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "rain"}
    turns = [
        *MESSAGES,
        {"role": "assistant", "content": reply.body["content"]},
        {"role": "user", "content": [result, {"type": "text", "text": "So?"}]},
    ]
    await cohere.call(replace(first, stream=False, body={**asked, "messages": turns}))
    sent = upstream.requests[1].json()["messages"]
    assert [one["role"] for one in sent] == ["system", "user", "assistant", "tool", "user"]
    assert sent[2]["tool_plan"] == "I will ask both."
    assert [one["id"] for one in sent[2]["tool_calls"]] == ["c1", "c2"]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("ERROR_TOXIC", "content_filter"),
    ],
)
async def test_the_reason_is_told_in_openais_words(
    upstream: ScriptedUpstream, cohere: HttpProvider, reason: str, finish: str
) -> None:
    upstream.script(sending(message("Hello.", reason)))
    assert (await cohere.call(chat())).finish_reason == finish


# What is no answer.


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("ERROR", "server_error"), ("TIMEOUT", "overloaded"), ("UNHEARD_OF", "malformed")],
)
@pytest.mark.parametrize("streaming", [False, True])
async def test_a_reason_that_is_no_end_is_a_failure(
    upstream: ScriptedUpstream,
    cohere: HttpProvider,
    reason: str,
    kind: FailureKind,
    streaming: bool,
) -> None:
    body = message("Hello.", reason)
    upstream.script(streamed(events(body)) if streaming else sending(body))
    assert (await failure(cohere, chat(streaming=streaming))).kind == kind


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, "invalid request: all elements must have a message", "bad_request"),
        (400, "too many tokens: total number of tokens in the prompt cannot exceed 4081",
         "context_length"),
        (401, "invalid api token", "auth"),
        (402, "add a payment method", "quota"),
        (404, "model 'x' not found", "not_found"),
        (422, "message must not be empty", "bad_request"),
        (429, "You are using a Trial key, which is limited to 40 API calls / minute",
         "rate_limited"),
        (429, "You are using a Trial key, which is limited to 1000 API calls / month", "quota"),
        (498, "", "refused"),
        (499, "", "overloaded"),
        (500, "", "server_error"),
        (503, "", "overloaded"),
        (504, "", "overloaded"),
    ],
)  # fmt: skip
async def test_a_status_and_its_text_say_what_went_wrong(
    upstream: ScriptedUpstream, cohere: HttpProvider, status: int, text: str, kind: FailureKind
) -> None:
    upstream.script(sending({"id": "e1", "message": text}, status=status))
    failed = await failure(cohere, chat())
    assert (failed.kind, failed.status_code) == (kind, status)
    assert not text or text not in failed.message


@pytest.mark.parametrize("kept", [0, 1, 3, 6])
@pytest.mark.parametrize("cut", [False, True])
async def test_a_stream_that_is_cut_off_is_truncated(
    upstream: ScriptedUpstream, cohere: HttpProvider, kept: int, cut: bool
) -> None:
    upstream.script(streamed(events(BODIES["thinking"])[:kept], cut=cut))
    assert (await failure(cohere, chat(streaming=True))).kind == "truncated"


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": None, "message": "too many tokens"}, "context_length"),
        ({"type": "content-delta", "delta": {}}, "malformed"),
        ({"type": "tool-call-delta", "index": 7, "delta": {"message": {"tool_calls": {
            "function": {"arguments": "{"}}}}}, "malformed"),
        ({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "deny-listed"}},
         "refused"),
    ],
)  # fmt: skip
async def test_an_event_that_says_no_ends_the_stream(
    upstream: ScriptedUpstream, cohere: HttpProvider, event: dict[str, Any], kind: FailureKind
) -> None:
    upstream.script(streamed([*events(BODIES["text"])[:3], event]))
    assert (await failure(cohere, chat(streaming=True))).kind == kind


@pytest.mark.parametrize("body", [{}, {"message": {}}, {"message": {"content": [7]}}])
async def test_a_body_that_is_no_reply_is_malformed(
    upstream: ScriptedUpstream, cohere: HttpProvider, body: dict[str, Any]
) -> None:
    upstream.script(sending(body))
    assert (await failure(cohere, chat())).kind == "malformed"


# Embeddings.


async def test_texts_get_their_vectors(upstream: ScriptedUpstream, cohere: HttpProvider) -> None:
    meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 6}}
    upstream.script(sending({"id": "e1", "embeddings": {"float": [[0.5], [1]]}, "meta": meta}))
    reply = await cohere.call(embed(["one", "two"], dimensions=256, user="u"))
    sent = upstream.requests[0]
    assert sent.path == "/v2/embed"
    assert sent.json() == {
        "model": "embed-v4.0",
        "texts": ["one", "two"],
        "input_type": "search_document",
        "truncate": "NONE",
        "embedding_types": ["float"],
        "output_dimension": 256,
    }
    assert [vector["embedding"] for vector in reply.body["data"]] == [[0.5], [1]]
    assert (reply.usage, reply.dropped) == (Usage(input_tokens=6, output_tokens=0), ("user",))
    assert reply.raw_usage == json.dumps(meta)


async def test_vectors_come_as_the_official_client_asks(
    upstream: ScriptedUpstream, cohere: HttpProvider
) -> None:
    upstream.script(sending({"embeddings": {"float": [[0.5, 1.0]]}}))
    reply = await cohere.call(embed("one", encoding_format="base64"))
    assert reply.body["data"][0]["embedding"] == "AAAAPwAAgD8="


@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2]], ["x"] * 97])
async def test_embeddings_that_the_wire_lacks_are_refused_without_a_call(
    upstream: ScriptedUpstream, cohere: HttpProvider, given: object
) -> None:
    assert (await failure(cohere, embed(given))).kind == "unsupported"
    assert upstream.requests == []


@pytest.mark.parametrize(
    "body",
    [{}, {"embeddings": None}, {"embeddings": {"float": 7}}, {"embeddings": {"float": [["x"]]}}],
)
async def test_embeddings_that_are_none_are_malformed(
    upstream: ScriptedUpstream, cohere: HttpProvider, body: dict[str, Any]
) -> None:
    upstream.script(sending(body))
    assert (await failure(cohere, embed("one", encoding_format="base64"))).kind == "malformed"
