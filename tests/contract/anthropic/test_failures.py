"""What Anthropic sends that is no answer."""

from typing import Any

import pytest

from adapters.providers.http import HttpProvider
from domain.ports.provider import FailureKind
from tests.contract.anthropic.calls import chat, failure, messages
from tests.support.scripted_anthropic import TEXT, error, error_event, events, message, sse
from tests.support.scripted_upstream import ScriptedUpstream, sending


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
