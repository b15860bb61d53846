"""What Bedrock sends that is no answer."""

from typing import Any

import pytest

from adapters.providers.http import HttpProvider
from domain.ports.provider import FailureKind
from tests.contract.bedrock.calls import chat, failure, message
from tests.support.scripted_bedrock import (
    EVENT_STREAM,
    converse,
    event,
    events,
    exception,
    frame,
    refused,
    streamed,
)
from tests.support.scripted_upstream import ScriptedUpstream, sending

ON_DEMAND = (
    "Invocation of model ID x with on-demand throughput isn\u2019t supported. Retry your request"
    " with the ID or ARN of an inference profile that contains this model."
)


@pytest.mark.parametrize(
    ("status", "name", "text", "kind"),
    [
        (429, "ThrottlingException", "Too many requests", "rate_limited"),
        (429, "ThrottlingException", "Too many tokens per day, please wait", "quota"),
        (429, "ModelNotReadyException", "", "overloaded"),
        (400, "ValidationException", "Input is too long for requested model", "context_length"),
        (400, "ValidationException", "prompt is too long: 210000 tokens", "context_length"),
        (400, "ValidationException", ON_DEMAND, "not_found"),
        (400, "ValidationException", "The provided model identifier is invalid.", "not_found"),
        (400, "ValidationException", "Malformed input request", "bad_request"),
        (400, "ServiceQuotaExceededException", "", "quota"),
        (403, "AccessDeniedException", "You don't have access to the model", "auth"),
        (403, "UnrecognizedClientException", "The security token is invalid", "auth"),
        (404, "ResourceNotFoundException", "end of its life", "not_found"),
        (408, "ModelTimeoutException", "", "overloaded"),
        (424, "ModelErrorException", "", "overloaded"),
        (500, "InternalServerException", "", "server_error"),
        (503, "ServiceUnavailableException", "", "overloaded"),
        (502, "", "<html>", "overloaded"),
    ],
)  # fmt: skip
async def test_an_exception_says_what_went_wrong(
    upstream: ScriptedUpstream,
    bedrock: HttpProvider,
    status: int,
    name: str,
    text: str,
    kind: FailureKind,
) -> None:
    upstream.script(refused(status, name, text))
    failed = await failure(bedrock, chat())
    assert (failed.kind, failed.status_code) == (kind, status)
    assert not text or text not in failed.message


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", "rate_limited"),
        ("modelStreamErrorException", "overloaded"),
        ("serviceUnavailableException", "overloaded"),
        ("internalServerException", "server_error"),
        ("validationException", "bad_request"),
    ],
)
async def test_an_exception_within_a_stream_ends_it(
    upstream: ScriptedUpstream, bedrock: HttpProvider, name: str, kind: FailureKind
) -> None:
    begun = events([{"text": "Hello there."}])[:3]
    upstream.script(streamed([*begun, exception(name, "secret text")]))
    assert (await failure(bedrock, chat(streamed=True))).kind == kind


async def test_an_error_message_within_a_stream_ends_it(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    headers = {":message-type": "error", ":error-code": "InternalError", ":error-message": "no"}
    upstream.script(streamed([*events([{"text": "Hello."}])[:3], frame(headers, {})]))
    assert (await failure(bedrock, chat(streamed=True))).kind == "server_error"


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("kept", [0, 1, 4])
async def test_a_stream_that_is_cut_off_is_truncated(
    upstream: ScriptedUpstream, bedrock: HttpProvider, kept: int, cut: bool
) -> None:
    frames = events([{"text": "Hello there."}])
    upstream.script(streamed([*frames[:kept], frames[kept][:20]], cut=cut))
    assert (await failure(bedrock, chat(streamed=True))).kind == "truncated"


async def test_a_complete_answer_needs_no_usage(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    upstream.script(streamed(events([{"text": "Hello."}])[:-1], cut=True))
    reply = await bedrock.call(chat(streamed=True))
    assert (message(reply)["content"], reply.usage) == ("Hello.", None)


@pytest.mark.parametrize("stop", ["malformed_tool_use", "malformed_model_output", "unheard_of"])
@pytest.mark.parametrize("streaming", [False, True])
async def test_a_reason_that_is_no_end_is_a_failure(
    upstream: ScriptedUpstream, bedrock: HttpProvider, stop: str, streaming: bool
) -> None:
    blocks = [{"text": "Hello."}]
    whole = sending(converse(blocks, stop))
    upstream.script(streamed(events(blocks, stop)) if streaming else whole)
    assert (await failure(bedrock, chat(streamed=streaming))).kind == "malformed"


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
    ],
)
async def test_the_reason_is_told_in_openais_words(
    upstream: ScriptedUpstream, bedrock: HttpProvider, stop: str, finish: str
) -> None:
    upstream.script(sending(converse([{"text": "Hello."}], stop)))
    assert (await bedrock.call(chat())).finish_reason == finish


async def test_a_damaged_frame_is_malformed(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    frames = events([{"text": "Hello there."}])
    damaged = bytearray(frames[1])
    damaged[-6] ^= 1
    upstream.script(streamed([frames[0], bytes(damaged), *frames[2:]]))
    assert (await failure(bedrock, chat(streamed=True))).kind == "malformed"


@pytest.mark.parametrize("body", [{}, {"output": {}}, {"message": "?"}])
async def test_a_body_that_is_no_reply_is_malformed(
    upstream: ScriptedUpstream, bedrock: HttpProvider, body: dict[str, Any]
) -> None:
    upstream.script(sending(body))
    assert (await failure(bedrock, chat())).kind == "malformed"


async def test_an_event_without_its_fields_is_malformed(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    upstream.script(sending(event("contentBlockDelta", {}), EVENT_STREAM))
    assert (await failure(bedrock, chat(streamed=True))).kind == "malformed"
