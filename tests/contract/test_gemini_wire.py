"""What goes to Google AI Studio and what comes back, for a caller of OpenAI's endpoints."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.providers.gemini.wire import GeminiWire, reading_of
from adapters.providers.http import HttpProvider
from adapters.providers.session import HttpSession
from domain.inference.events import Usage
from domain.ports.provider import CallTimeouts, FailureKind, ProviderCall, ProviderFailure
from tests.support.scripted_gemini import (
    USAGE,
    ScriptedGemini,
    called,
    events,
    google_error,
    item,
    refused,
    said,
)
from tests.support.scripted_provider import Reply, whole

PATIENT = CallTimeouts(connect=5, first_byte=10, chunk=10, total=20)
COUNTED = Usage(input_tokens=100, output_tokens=50, cached_input_tokens=60, reasoning_tokens=30)
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("f", "g")]
SAID = item(said("Grüße, "), usage={**USAGE, "candidatesTokenCount": 2})
THOUGHT = item(said("Hm.", thought=True))
CALLED = item(called("f", {"q": "x"}, id="c1", thoughtSignature="SIG"), called("g", id="c2"))
ENDED = item(finish="STOP")


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedGemini]:
    async with ScriptedGemini() as provider:
        yield provider


@pytest.fixture
async def wire(upstream: ScriptedGemini) -> AsyncIterator[HttpProvider]:
    session = HttpSession()
    yield HttpProvider(session, GeminiWire(upstream.url, "g-key"))
    await session.close()


def chat(model: str = "gemini-3-flash", *, streamed: bool = False, **body: Any) -> ProviderCall:
    messages = [{"role": "user", "content": "Say hello."}]
    return ProviderCall(
        endpoint="/v1/chat/completions",
        native_id=model,
        body={"model": "google/x", "messages": messages, **body},
        stream=streamed,
        timeouts=PATIENT,
        request_id="job_1",
        max_output_tokens=65_536,
    )


def embed(texts: Any, **body: Any) -> ProviderCall:
    call = chat("gemini-embedding-001")
    return replace(call, endpoint="/v1/embeddings", body={"model": "e", "input": texts, **body})


async def failure(wire: HttpProvider, call: ProviderCall) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as raised:
        await wire.call(call)
    return raised.value


@pytest.mark.parametrize(
    ("streamed", "method"),
    [(False, "generateContent"), (True, "streamGenerateContent?alt=sse")],
)
async def test_a_call_goes_to_the_method_of_its_model(
    upstream: ScriptedGemini, wire: HttpProvider, streamed: bool, method: str
) -> None:
    reply = await wire.call(chat(streamed=streamed, temperature=0.5))
    sent = upstream.requests[0]
    headers = {name.lower(): value for name, value in sent.headers.items()}
    assert sent.path == f"/v1beta/models/gemini-3-flash:{method}"
    assert (headers["x-goog-api-key"], headers["x-request-id"]) == ("g-key", "job_1")
    assert sent.body == {
        "contents": [{"role": "user", "parts": [{"text": "Say hello."}]}],
        "generationConfig": {"temperature": 0.5},
    }
    assert reply.body["choices"][0]["message"]["content"] == "Hello there."
    assert (reply.finish_reason, reply.usage) == ("stop", COUNTED)


async def test_the_counts_are_kept_as_they_came(wire: HttpProvider) -> None:
    reply = await wire.call(chat(streamed=True))
    assert json.loads(reply.raw_usage or "") == USAGE


async def test_what_has_no_place_is_named_as_the_caller_names_it(wire: HttpProvider) -> None:
    call = chat(logit_bias={"1": 2}, parallel_tool_calls=False, tools=TOOLS, user="u", n=1)
    reply = await wire.call(replace(call, body={**call.body, "max_tokens": 10**6}))
    assert set(reply.dropped) == {"logit_bias", "parallel_tool_calls", "user", "max_tokens"}


async def test_what_would_change_the_answer_is_refused_without_a_call(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    assert (await failure(wire, chat(modalities=["text", "audio"]))).kind == "unsupported"
    assert (await failure(wire, chat(n=9))).kind == "unsupported"
    assert upstream.requests == []


async def test_several_choices_come_in_one_piece(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    both = item(said("A"), finish="STOP")
    both["candidates"].append({**item(said("B"), finish="MAX_TOKENS")["candidates"][0], "index": 1})
    upstream.script(whole(both))
    deltas: list[Any] = []
    reply = await wire.call(chat(streamed=True, n=2), deltas.append)
    assert upstream.requests[0].path.endswith(":generateContent")
    assert upstream.requests[0].body["generationConfig"]["candidateCount"] == 2
    ends = [(c["message"]["content"], c["finish_reason"]) for c in reply.body["choices"]]
    assert ends == [("A", "stop"), ("B", "length")]
    assert deltas


@pytest.mark.parametrize("streamed", [False, True])
async def test_parallel_tool_calls_come_whole_with_the_signature_of_the_first(
    upstream: ScriptedGemini, wire: HttpProvider, streamed: bool
) -> None:
    parts = CALLED["candidates"][0]["content"]["parts"]
    upstream.script(events(CALLED, ENDED) if streamed else whole(item(*parts, finish="STOP")))
    reply = await wire.call(chat(streamed=streamed, tools=TOOLS))
    assert reply.finish_reason == "tool_calls"
    assert reply.body["choices"][0]["message"]["tool_calls"] == [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "f", "arguments": '{"q":"x"}'},
            "extra_content": {"google": {"thought_signature": "SIG"}},
        },
        {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


async def test_the_answer_of_a_tool_loop_goes_back_as_it_came(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    upstream.script(events(CALLED, ENDED))
    first = await wire.call(chat(streamed=True, tools=TOOLS))
    messages = [
        {"role": "user", "content": "Say hello."},
        first.body["choices"][0]["message"],
        {"role": "tool", "tool_call_id": "c2", "content": "[2]"},
        {"role": "tool", "tool_call_id": "c1", "content": '{"one": 1}'},
    ]
    await wire.call(chat(tools=TOOLS, messages=messages))
    assert upstream.requests[1].body["contents"][1:] == [
        {"role": "model", "parts": CALLED["candidates"][0]["content"]["parts"]},
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "c1", "name": "f", "response": {"one": 1}}},
                {"functionResponse": {"id": "c2", "name": "g", "response": {"result": "[2]"}}},
            ],
        },
    ]


async def test_a_tool_whose_name_google_refuses_keeps_it_for_the_caller(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    tools = [{"type": "function", "function": {"name": "2nd-try"}}]
    await wire.call(chat(tools=tools))
    native = upstream.requests[0].body["tools"][0]["functionDeclarations"][0]["name"]
    upstream.script(whole(item(called(native), finish="STOP")))
    reply = await wire.call(chat(tools=tools))
    assert native[0] == "_"
    assert reply.body["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "2nd-try"


@pytest.mark.parametrize("streamed", [False, True])
async def test_thoughts_are_told_as_reasoning(
    upstream: ScriptedGemini, wire: HttpProvider, streamed: bool
) -> None:
    parts = said("Hm.", thought=True), said("Yes.")
    upstream.script(
        events(THOUGHT, item(said("Yes."), finish="STOP"))
        if streamed
        else whole(item(*parts, finish="STOP"))
    )
    reply = await wire.call(chat(streamed=streamed, reasoning_effort="low"))
    thinking = upstream.requests[0].body["generationConfig"]["thinkingConfig"]
    message = reply.body["choices"][0]["message"]
    assert thinking == {"thinkingLevel": "LOW", "includeThoughts": True}
    assert (message["reasoning_content"], message["content"]) == ("Hm.", "Yes.")


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_blocked_prompt_is_an_empty_filtered_answer_that_counts(
    upstream: ScriptedGemini, wire: HttpProvider, streamed: bool
) -> None:
    blocked = {
        "promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7},
    }
    upstream.script(events(blocked) if streamed else whole(blocked))
    reply = await wire.call(chat(streamed=streamed))
    assert reply.finish_reason == "content_filter"
    assert not reply.body["choices"][0]["message"]["content"]
    assert reply.usage == Usage(input_tokens=7, output_tokens=0)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (events(SAID), "truncated"),
        (events(SAID, cut=True), "truncated"),
        (events(), "truncated"),
        (events(SAID, google_error(503, "UNAVAILABLE")), "overloaded"),
        (whole(google_error(500, "INTERNAL")), "server_error"),
        (whole({}), "truncated"),
        (whole(b"<html>"), "malformed"),
        (events(SAID, {"candidates": 7}), "malformed"),
        (events(item(finish="MALFORMED_FUNCTION_CALL")), "server_error"),
        (events(item(finish="MISSING_THOUGHT_SIGNATURE")), "malformed"),
        (events(item(finish="UNEXPECTED_TOOL_CALL")), "malformed"),
        (events(item(finish="SOMETHING_NEW")), "malformed"),
        (events(item({"inlineData": {"mimeType": "image/png", "data": "AA=="}})), "unsupported"),
    ],
)
async def test_a_reply_that_is_no_whole_answer_is_a_failure(
    upstream: ScriptedGemini, wire: HttpProvider, reply: Reply, kind: FailureKind
) -> None:
    upstream.script(reply)
    assert (await failure(wire, chat(streamed=True))).kind == kind


async def test_a_finished_answer_needs_no_end_of_the_connection(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    upstream.script(events(SAID, ENDED, hang=True))
    assert (await wire.call(chat(streamed=True))).usage == COUNTED


async def test_a_refusal_says_when_to_ask_again_and_nothing_of_its_text(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    again = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.5s"}
    upstream.script(refused(429, "RESOURCE_EXHAUSTED", "secret text", again))
    failed = await failure(wire, chat())
    assert (failed.kind, failed.status_code, failed.retry_after) == ("rate_limited", 429, 12.5)
    assert "secret" not in failed.message


CONTENT = "".join(
    f"data: {json.dumps(one, ensure_ascii=False)}\r\n\r\n" for one in (THOUGHT, SAID, CALLED, ENDED)
).encode()


def read(parts: list[bytes]) -> Any:
    reading = reading_of(chat(streamed=True), "text/event-stream")
    deltas = [delta for part in parts for delta in reading.feed(part)]
    deltas.extend(reading.end())
    return deltas, reading.reply()


@given(st.lists(st.integers(0, len(CONTENT)), max_size=12))
@settings(deadline=None)
def test_a_stream_reads_the_same_however_it_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(CONTENT)]
    assert read([CONTENT[start:end] for start, end in pairwise(edges)]) == read([CONTENT])


@given(st.integers(0, len(CONTENT) - 1))
@settings(deadline=None)
def test_a_stream_that_breaks_anywhere_is_whole_or_truncated(cut: int) -> None:
    reading = reading_of(chat(streamed=True), "text/event-stream")
    list(reading.feed(CONTENT[:cut]))
    try:
        told = reading.reply().body["choices"][0]["message"]["content"]
    except ProviderFailure as failed:
        told = failed.kind
    assert told in {"Grüße, ", "truncated"}


async def test_one_text_is_embedded_by_itself_and_several_at_once(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    one = await wire.call(embed("a", dimensions=2, user="u"))
    two = await wire.call(embed(["a", "b"]))
    first, second = upstream.requests
    assert first.path == "/v1beta/models/gemini-embedding-001:embedContent"
    assert first.body == {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 2}
    assert second.path.endswith(":batchEmbedContents")
    assert second.body["requests"][1] == {
        "model": "models/gemini-embedding-001",
        "content": {"parts": [{"text": "b"}]},
    }
    assert one.body["data"] == [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}]
    assert [vector["index"] for vector in two.body["data"]] == [0, 1]
    assert one.dropped == ("user",)


async def test_vectors_come_in_base64_where_that_is_asked_for(wire: HttpProvider) -> None:
    reply = await wire.call(embed(["a"], encoding_format="base64"))
    assert reply.body["data"][0]["embedding"] == "AAAAPwAAgL4="


async def test_tokens_are_no_text_to_embed(wire: HttpProvider) -> None:
    assert (await failure(wire, embed([[1, 2]]))).kind == "unsupported"


async def test_a_caller_of_messages_is_answered_in_its_own_wire(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    body = {
        "model": "google/x",
        "max_tokens": 10,
        "system": "be brief",
        "messages": [
            {"role": "user", "content": "w?"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "a", "name": "f", "input": {"q": "x"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "1"}]},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
    }  # fmt: skip
    upstream.script(events(THOUGHT, CALLED, ENDED))
    call = replace(chat(streamed=True), endpoint="/v1/messages", body=body)
    reply = await wire.call(call)
    assert upstream.requests[0].body["contents"][1:] == [
        {
            "role": "model",
            "parts": [
                {
                    "functionCall": {"id": "a", "name": "f", "args": {"q": "x"}},
                    "thoughtSignature": "skip_thought_signature_validator",
                }
            ],
        },
        {
            "role": "user",
            "parts": [{"functionResponse": {"id": "a", "name": "f", "response": {"result": "1"}}}],
        },
    ]
    blocks = reply.body["content"]
    assert [block["type"] for block in blocks] == ["thinking", "tool_use", "tool_use"]
    assert (blocks[1]["input"], reply.body["stop_reason"]) == ({"q": "x"}, "tool_use")
