"""Amazon Bedrock as a provider: what goes out, what comes back, and what is no answer."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.session import Session
from botocore.validate import validate_parameters

from adapters.providers.bedrock.credentials import (
    AccessKey,
    BearerToken,
    DefaultChain,
)
from adapters.providers.bedrock.credentials import Credentials as AnyCredentials
from adapters.providers.bedrock.wire import BedrockWire
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
from tests.support.scripted_bedrock import (
    EVENT_STREAM,
    USAGE,
    converse,
    event,
    events,
    exception,
    frame,
    refused,
    streamed,
)
from tests.support.scripted_upstream import ScriptedUpstream, Sent, sending

REGION = "eu-west-1"
KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session==")
SONNET = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
PATIENT = CallTimeouts(connect=5, first_byte=10, chunk=10, total=20)
MESSAGES = [{"role": "user", "content": "Say hello."}]
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
ON_DEMAND = (
    "Invocation of model ID x with on-demand throughput isn\u2019t supported. Retry your request"
    " with the ID or ARN of an inference profile that contains this model."
)
TWO_CALLS: list[dict[str, Any]] = [
    {"text": "Both."},
    {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Oslo"}}},
    {"toolUse": {"toolUseId": "t2", "name": "clock", "input": {}}},
]
THOUGHT: list[dict[str, Any]] = [
    {"reasoningContent": {"reasoningText": {"text": "Let me see.", "signature": "c2ln"}}},
    {"reasoningContent": {"redactedContent": "c2VjcmV0"}},
    {"text": "Hello there."},
]


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture
async def session() -> AsyncIterator[HttpSession]:
    opened = HttpSession()
    yield opened
    await opened.close()


@pytest.fixture
def bedrock(upstream: ScriptedUpstream, session: HttpSession) -> HttpProvider:
    return provider(upstream, session, KEY)


def provider(
    upstream: ScriptedUpstream, session: HttpSession, credentials: AnyCredentials
) -> HttpProvider:
    return HttpProvider(session, BedrockWire(REGION, credentials, base_url=upstream.base_url))


def chat(*, streamed: bool = False, model: str = SONNET, **body: Any) -> ProviderCall:
    return ProviderCall(
        endpoint="/v1/chat/completions",
        native_id=model,
        body={"model": "anthropic/claude-sonnet-4.5", "messages": MESSAGES, **body},
        stream=streamed,
        timeouts=PATIENT,
        request_id="job_1",
        max_output_tokens=64_000,
    )


def embed(model: str, given: object, **body: Any) -> ProviderCall:
    body = {"model": "acme/embedder", "input": given, **body}
    return replace(chat(model=model), endpoint="/v1/embeddings", body=body)


async def failure(provider: HttpProvider, call: ProviderCall) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as raised:
        await provider.call(call)
    return raised.value


def message(reply: ProviderReply) -> dict[str, Any]:
    told: dict[str, Any] = reply.body["choices"][0]["message"]
    return told


WITHOUT_BOTOCORE = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "botocore":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from adapters.providers.bedrock.credentials import BearerToken, BotocoreMissing
from adapters.providers.bedrock.wire import BedrockWire

try:
    BedrockWire("eu-west-1", BearerToken("t"))
except BotocoreMissing as missing:
    print(missing)
"""


# What goes out.


async def test_a_call_goes_to_the_model_by_its_encoded_id(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    upstream.script(sending(converse([{"text": "Hello."}])), streamed(events([{"text": "Hi."}])))
    await bedrock.call(chat())
    await bedrock.call(chat(streamed=True))
    model = "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
    assert [sent.path for sent in upstream.requests] == [
        f"{model}/converse",
        f"{model}/converse-stream",
    ]


async def test_an_arn_is_one_segment_of_the_address(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    upstream.script(sending(converse([{"text": "Hello."}])))
    arn = f"arn:aws:bedrock:{REGION}:123456789012:inference-profile/{SONNET}"
    await bedrock.call(chat(model=arn))
    segment = upstream.requests[0].path.removeprefix("/model/").removesuffix("/converse")
    assert "/" not in segment
    assert unquote(segment) == arn


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_signature_is_that_of_what_went_out(
    upstream: ScriptedUpstream, bedrock: HttpProvider, streaming: bool
) -> None:
    upstream.script(streamed(events([{"text": "Hello."}])))
    await bedrock.call(chat(streamed=streaming, temperature=0.5))
    sent = upstream.requests[0]
    assert sent.headers["x-amz-security-token"] == KEY.session_token
    assert f"/{REGION}/bedrock/aws4_request" in sent.headers["authorization"]
    assert sent.headers["authorization"].rpartition("Signature=")[2] == signature(upstream, sent)


async def test_a_bedrock_key_is_sent_as_a_bearer(
    upstream: ScriptedUpstream, session: HttpSession
) -> None:
    upstream.script(sending(converse([{"text": "Hello."}])))
    await provider(upstream, session, BearerToken("bedrock-api-key-1")).call(chat())
    headers = upstream.requests[0].headers
    assert headers["authorization"] == "Bearer bedrock-api-key-1"
    assert "x-amz-date" not in headers


async def test_what_the_tools_of_aws_find_is_found(
    upstream: ScriptedUpstream, session: HttpSession, tmp_path: Any, monkeypatch: Any
) -> None:
    path = tmp_path / "credentials"
    path.write_text(f"[team]\naws_access_key_id = {KEY.access_key_id}\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    upstream.script(*[sending(converse([{"text": "Hello."}]))] * 2)
    found = provider(upstream, session, DefaultChain("team"))
    await asyncio.gather(found.call(chat()), found.call(chat()))
    for sent in upstream.requests:
        assert f"Credential={KEY.access_key_id}/" in sent.headers["authorization"]


async def test_without_any_credentials_nothing_is_called(
    upstream: ScriptedUpstream, session: HttpSession, tmp_path: Any, monkeypatch: Any
) -> None:
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "BOTO_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    lost = provider(upstream, session, DefaultChain())
    assert [(await failure(lost, chat())).kind for _ in range(2)] == ["auth", "auth"]
    assert upstream.requests == []


def test_without_botocore_it_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_BOTOCORE], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "botocore is not installed: pip install 'gatewayz[bedrock]'"


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 0.5, "top_p": 0.9, "stop": ["a", " "], "max_tokens": 100, "seed": 7},
        {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False},
        {"reasoning_effort": "high", "max_tokens": 30_000},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
            }
        },
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is it?"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
                        {
                            "type": "file",
                            "file": {
                                "filename": "report_1.pdf",
                                "file_data": "data:application/pdf;base64,JVBE",
                            },
                        },
                    ],
                },
            ]
        },
    ],
)
async def test_the_body_is_one_that_the_official_model_of_the_service_takes(
    upstream: ScriptedUpstream, bedrock: HttpProvider, body: dict[str, Any]
) -> None:
    upstream.script(sending(converse([{"text": "Hello."}])))
    await bedrock.call(chat(**body))
    service = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))
    shape = service.operation_model("Converse").input_shape
    validate_parameters({"modelId": SONNET, **upstream.requests[0].json()}, shape)


async def test_what_the_wire_lacks_is_named_as_the_caller_named_it(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    upstream.script(sending(converse([{"text": "Hello."}])))
    asked: dict[str, Any] = {
        "seed": 7,
        "user": "u",
        "logit_bias": {"1": 1},
        "temperature": 1.5,
        "stop": [" "],
    }
    reply = await bedrock.call(chat(**asked, parallel_tool_calls=False, tools=[WEATHER]))
    assert set(reply.dropped) == {*asked, "parallel_tool_calls"}


@pytest.mark.parametrize(
    "body",
    [
        {"n": 2},
        {"web_search_options": {}},
        {"messages": [*MESSAGES, {"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]},
    ],
)  # fmt: skip
async def test_what_would_be_another_answer_is_refused_without_a_call(
    upstream: ScriptedUpstream, bedrock: HttpProvider, body: dict[str, Any]
) -> None:
    assert (await failure(bedrock, chat(**body))).kind == "unsupported"
    assert upstream.requests == []


# What comes back.


@pytest.mark.parametrize("streaming", [False, True])
async def test_an_answer_comes_with_its_usage(
    upstream: ScriptedUpstream, bedrock: HttpProvider, streaming: bool
) -> None:
    usage = {**USAGE, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 30}
    usage["cacheDetails"] = [  # type: ignore[assignment]
        {"ttl": "1h", "inputTokens": 10},
        {"ttl": "5m", "inputTokens": 20},
    ]
    blocks = [{"text": "Hello there."}]
    whole = sending(converse(blocks, usage=usage))
    upstream.script(streamed(events(blocks, usage=usage)) if streaming else whole)
    reply = await bedrock.call(chat(streamed=streaming))
    assert message(reply)["content"] == "Hello there."
    assert reply.finish_reason == "stop"
    assert reply.usage == Usage(
        input_tokens=141,
        output_tokens=7,
        cached_input_tokens=100,
        cache_write_tokens=20,
        cache_write_1h_tokens=10,
    )
    assert reply.raw_usage == json.dumps(usage)


@pytest.mark.parametrize("blocks", [TWO_CALLS, THOUGHT])
async def test_a_stream_says_what_the_whole_reply_says(
    upstream: ScriptedUpstream, bedrock: HttpProvider, blocks: list[dict[str, Any]]
) -> None:
    stop = "tool_use" if blocks is TWO_CALLS else "end_turn"
    upstream.script(sending(converse(blocks, stop)), streamed(events(blocks, stop)))
    whole = await bedrock.call(chat())
    put_together = await bedrock.call(chat(streamed=True))
    assert normal(put_together.body) == normal(whole.body)
    assert put_together.finish_reason == whole.finish_reason


async def test_parallel_calls_are_kept_apart(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    upstream.script(streamed(events(TWO_CALLS, "tool_use")))
    deltas: list[dict[str, Any]] = []
    reply = await bedrock.call(chat(streamed=True, tools=[WEATHER]), deltas.append)
    calls = message(reply)["tool_calls"]
    assert reply.finish_reason == "tool_calls"
    assert [(c["id"], c["function"]["name"]) for c in calls] == [("t1", "weather"), ("t2", "clock")]
    assert [json.loads(c["function"]["arguments"]) for c in calls] == [{"city": "Oslo"}, {}]
    indices = [
        call["index"]
        for delta in deltas
        for call in delta["choices"][0]["delta"].get("tool_calls", ())
    ]
    assert indices == sorted(indices)


@pytest.mark.parametrize("streaming", [False, True])
async def test_signed_thinking_can_be_sent_back(
    upstream: ScriptedUpstream, bedrock: HttpProvider, streaming: bool
) -> None:
    blocks = [*THOUGHT[:2], TWO_CALLS[1]]
    upstream.script(
        streamed(events(blocks, "tool_use"))
        if streaming
        else sending(converse(blocks, "tool_use")),
        sending(converse([{"text": "Rain."}])),
    )
    asked = chat(streamed=streaming, reasoning_effort="high", tools=[WEATHER])
    answer = message(await bedrock.call(asked))
    assert answer["reasoning_content"] == "Let me see."
    result = {"role": "tool", "tool_call_id": "t1", "content": "rain"}
    again = {**asked.body, "messages": [*MESSAGES, answer, result]}
    await bedrock.call(replace(asked, stream=False, body=again))
    sent = upstream.requests[1].json()
    assert sent["messages"][1]["content"] == blocks
    assert sent["additionalModelRequestFields"]["thinking"]["type"] == "enabled"


async def test_the_sequence_that_ended_the_answer_is_asked_for(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    upstream.script(sending(converse([{"text": "Hello."}], "stop_sequence")))
    reply = await bedrock.call(chat(stop="!"))
    assert upstream.requests[0].json()["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert reply.finish_reason == "stop"


@pytest.mark.parametrize("portion", [1, 2, 7, 64])
async def test_frames_in_any_portions_read_the_same(
    upstream: ScriptedUpstream, bedrock: HttpProvider, portion: int
) -> None:
    frames = events([*THOUGHT[:1], *TWO_CALLS], "tool_use")
    upstream.script(streamed(frames), streamed(frames, portion=portion))
    told: list[list[dict[str, Any]]] = [[], []]
    whole, parts = [await bedrock.call(chat(streamed=True), deltas.append) for deltas in told]
    assert parts == whole
    assert told[0] == told[1]


async def test_a_schema_is_held_by_a_tool_where_the_model_knows_none(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    use = {"toolUseId": "t1", "name": "gatewayz_answer", "input": {"city": "Oslo"}}
    frames = events([{"toolUse": use}], "tool_use")
    upstream.script(streamed(frames), sending(converse([{"toolUse": use}], "tool_use")))
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    for streaming in (True, False):
        asked = chat(model="amazon.nova-pro-v1:0", streamed=streaming, response_format=schema)
        reply = await bedrock.call(asked)
        assert json.loads(message(reply)["content"]) == {"city": "Oslo"}
        assert reply.finish_reason == "stop"
        assert not message(reply).get("tool_calls")


async def test_the_official_client_sends_and_reads_the_same(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    upstream.script(*[streamed(events(THOUGHT))] * 2)
    ours = await bedrock.call(chat(streamed=True))
    theirs = await asyncio.to_thread(official_stream, upstream.base_url)
    sent, expected = upstream.requests
    assert (sent.path, sent.json()) == (expected.path, expected.json())
    text = "".join(
        one["contentBlockDelta"]["delta"].get("text", "")
        for one in theirs
        if "contentBlockDelta" in one
    )
    assert message(ours)["content"] == text
    assert theirs[-1]["metadata"]["usage"] == json.loads(ours.raw_usage or "")


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_caller_of_messages_gets_thinking_and_calls_and_sends_them_back(
    upstream: ScriptedUpstream, bedrock: HttpProvider, streaming: bool
) -> None:
    blocks = [*THOUGHT[:2], *TWO_CALLS]
    whole, frames = converse(blocks, "tool_use"), events(blocks, "tool_use")
    upstream.script(
        streamed(frames) if streaming else sending(whole), sending(converse([{"text": "Rain."}]))
    )
    tool = {"name": "weather", "input_schema": {"type": "object"}}
    thinking = {"type": "enabled", "budget_tokens": 2000}
    body = {"messages": MESSAGES, "max_tokens": 4000, "tools": [tool], "thinking": thinking}
    asked = replace(chat(streamed=streaming), endpoint="/v1/messages", body=body)
    reply = await bedrock.call(asked)
    assert reply.body["stop_reason"] == "tool_use"
    results = [
        {"type": "tool_result", "tool_use_id": use, "content": "rain"} for use in ("t1", "t2")
    ]
    turns = [
        *MESSAGES,
        {"role": "assistant", "content": reply.body["content"]},
        {"role": "user", "content": results},
    ]
    await bedrock.call(replace(asked, stream=False, body={**body, "messages": turns}))
    sent = upstream.requests[1].json()
    assert sent["messages"][1]["content"] == blocks
    assert sent["additionalModelRequestFields"] == {"thinking": thinking}
    assert len(sent["messages"][2]["content"]) == 2


async def test_the_betas_that_converse_takes_stand_among_the_models_own_fields(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    taken, other = "interleaved-thinking-2025-05-14", "context-management-2025-06-27"
    body = {"messages": MESSAGES, "max_tokens": 40, "anthropic_beta": [taken, other]}
    asked = replace(chat(), endpoint="/v1/messages", body=body)
    for model in (SONNET, "us.amazon.nova-pro-v1:0"):
        upstream.script(sending(converse([{"text": "Hello."}])))
        reply = await bedrock.call(replace(asked, native_id=model))
        fields = upstream.requests[-1].json().get("additionalModelRequestFields", {})
        is_claude = model == SONNET
        assert fields.get("anthropic_beta") == ([taken] if is_claude else None)
        named = (other,) if is_claude else (taken, other)
        assert reply.dropped == tuple(f"anthropic_beta[{name}]" for name in named)


async def test_a_caller_of_messages_is_told_which_sequence_ended_the_answer(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    extra = {"stop_sequence": "!"}
    blocks = [{"text": "Hello"}]
    told = converse(blocks, "stop_sequence", additionalModelResponseFields=extra)
    frames = events(blocks, "stop_sequence", additionalModelResponseFields=extra)
    upstream.script(sending(told), streamed(frames))
    body = {"messages": MESSAGES, "max_tokens": 99, "stop_sequences": ["!"]}
    for streaming in (False, True):
        asked = replace(chat(streamed=streaming), endpoint="/v1/messages", body=body)
        reply = await bedrock.call(asked)
        assert (reply.body["stop_reason"], reply.body["stop_sequence"]) == ("stop_sequence", "!")


# What is no answer.


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


# Embeddings.


async def test_titan_embeds_one_text(upstream: ScriptedUpstream, bedrock: HttpProvider) -> None:
    upstream.script(sending({"embedding": [0.5, -1.0], "inputTextTokenCount": 3}))
    titan = "amazon.titan-embed-text-v2:0"
    reply = await bedrock.call(embed(titan, "one", dimensions=256, user="u"))
    sent = upstream.requests[0]
    assert sent.path == "/model/amazon.titan-embed-text-v2%3A0/invoke"
    assert sent.json() == {"inputText": "one", "dimensions": 256}
    assert reply.body["data"] == [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}]
    assert reply.usage == Usage(input_tokens=3, output_tokens=0)
    assert reply.dropped == ("user",)
    assert (await failure(bedrock, embed(titan, ["one", "two"]))).kind == "unsupported"


async def test_cohere_embeds_many_texts(upstream: ScriptedUpstream, bedrock: HttpProvider) -> None:
    upstream.script(sending({"embeddings": {"float": [[0.5], [1.0]]}, "response_type": "x"}))
    asked = embed("cohere.embed-v4:0", ["one", "two"], encoding_format="base64", dimensions=1)
    reply = await bedrock.call(asked)
    assert upstream.requests[0].json() == {
        "texts": ["one", "two"],
        "input_type": "search_document",
        "truncate": "NONE",
        "embedding_types": ["float"],
        "output_dimension": 1,
    }
    assert [vector["embedding"] for vector in reply.body["data"]] == ["AAAAPw==", "AACAPw=="]
    assert (await failure(bedrock, embed("cohere.embed-v4:0", [[1, 2]]))).kind == "unsupported"


@pytest.mark.parametrize(
    "body",
    [{}, {"embeddings": None}, {"embeddings": {"float": 7}}, {"embeddings": {"float": [["x"]]}}],
)
async def test_embeddings_that_are_none_are_malformed(
    upstream: ScriptedUpstream, bedrock: HttpProvider, body: dict[str, Any]
) -> None:
    upstream.script(sending(body))
    assert (
        await failure(bedrock, embed("cohere.embed-v4:0", "one", encoding_format="base64"))
    ).kind == "malformed"


def official_stream(base_url: str) -> list[dict[str, Any]]:
    """What Amazon's own client reads of a stream."""
    client = Session().create_client(
        "bedrock-runtime",
        region_name=REGION,
        endpoint_url=base_url,
        aws_access_key_id=KEY.access_key_id,
        aws_secret_access_key=KEY.secret_access_key,
    )
    try:
        content = [{"text": MESSAGES[0]["content"]}]
        asked = {"messages": [{"role": "user", "content": content}]}
        return list(client.converse_stream(modelId=SONNET, **asked)["stream"])
    finally:
        client.close()


def normal(body: dict[str, Any]) -> dict[str, Any]:
    """The body with arguments of tools as objects: only their spaces may differ."""
    told: dict[str, Any] = json.loads(json.dumps(body))
    for call in told["choices"][0]["message"].get("tool_calls") or ():
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return told


def signature(upstream: ScriptedUpstream, sent: Sent) -> str:
    """What AWS computes from the request as it arrived."""
    named = sent.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    headers = {name: sent.headers[name] for name in named.split(";")}
    request = AWSRequest("POST", upstream.base_url + sent.path, headers, sent.content)
    request.context["timestamp"] = sent.headers["x-amz-date"]
    credentials = Credentials(KEY.access_key_id, KEY.secret_access_key, KEY.session_token)
    signer = SigV4Auth(credentials, "bedrock", REGION)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    computed: str = signer.signature(text, request)
    return computed
