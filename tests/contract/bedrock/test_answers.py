"""What comes back from Bedrock: answers, whole and in frames, and their usage."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.session import Session

from adapters.providers.http import HttpProvider
from domain.inference.events import Usage
from tests.contract.bedrock.calls import KEY, MESSAGES, REGION, SONNET, WEATHER, chat, message
from tests.support.scripted_bedrock import USAGE, converse, events, streamed
from tests.support.scripted_upstream import ScriptedUpstream, sending

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
