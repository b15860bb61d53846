"""Both official clients, served by a host that speaks Anthropic's wire."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from anthropic.types import MessageParam
from openai import AsyncOpenAI
from pydantic import BaseModel

from tests.support.engine import running_engine
from tests.support.official import anthropic_client, openai_client
from tests.support.scripted_anthropic import (
    REDACTED,
    TEXT,
    THINKING,
    error,
    error_event,
    events,
    sse,
    streamed,
    tool_use,
    whole,
)
from tests.support.scripted_upstream import ScriptedUpstream, sending

HELLO: Any = [{"role": "user", "content": "Say hello."}]
PARAMETERS = {"type": "object", "properties": {"place": {"type": "string"}}}
WEATHER: Any = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
WEATHER_TOOL: Any = {"name": "weather", "input_schema": PARAMETERS}
CALL = tool_use("toolu_1", "weather", {"place": "Oslo"})


@dataclass(frozen=True)
class Stage:
    upstream: ScriptedUpstream
    openai: AsyncOpenAI
    anthropic: AsyncAnthropic

    @property
    def asked(self) -> dict[str, Any]:
        """The last request that the host saw."""
        return self.upstream.requests[-1].json()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with ScriptedUpstream() as upstream:
        host = {
            "protocol": "anthropic-messages",
            "base_url": upstream.base_url,
            "api_key": "sk-ant-1",
        }
        offer = {"provider": "claude", "input": "3.00", "output": "15.00"}
        model = {
            "max_output_tokens": 64_000,
            "offers": [{**offer, "native_id": "claude-sonnet-4-5"}],
        }
        more: dict[str, Any] = {
            "more_providers": {"claude": host},
            "more_models": {"acme/claude": model},
        }
        async with running_engine(tmp_path / "data", **more) as engine:
            account = await engine.account()
            async with openai_client(account) as openai, anthropic_client(account) as anthropic:
                yield Stage(upstream, openai, anthropic)


async def test_openais_client_gets_a_completion(stage: Stage) -> None:
    stage.upstream.script(whole(THINKING, TEXT))
    completion = await stage.openai.chat.completions.create(
        model="acme/claude", messages=HELLO, max_tokens=100
    )
    assert completion.choices[0].message.content == "Hello there."
    assert (completion.model, completion.choices[0].finish_reason) == ("acme/claude", "stop")
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 1110
    assert completion.usage.prompt_tokens_details is not None
    assert completion.usage.prompt_tokens_details.cached_tokens == 1000


async def test_openais_client_streams(stage: Stage) -> None:
    stage.upstream.script(streamed(THINKING, TEXT))
    chunks = [
        chunk
        async for chunk in await stage.openai.chat.completions.create(
            model="acme/claude",
            messages=HELLO,
            max_tokens=100,
            stream=True,
            stream_options={"include_usage": True},
        )
    ]
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == "Hello there."
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 50


@pytest.mark.parametrize("stream", [False, True])
async def test_openais_client_uses_tools(stage: Stage, stream: bool) -> None:
    called = (streamed if stream else whole)(TEXT, CALL, stop_reason="tool_use")
    stage.upstream.script(called, whole())
    asked: dict[str, Any] = {"model": "acme/claude", "max_tokens": 100, "tools": [WEATHER]}
    if stream:
        async with stage.openai.chat.completions.stream(messages=HELLO, **asked) as stream_events:
            completion: Any = await stream_events.get_final_completion()
    else:
        completion = await stage.openai.chat.completions.create(messages=HELLO, **asked)
    message = completion.choices[0].message
    (call,) = message.tool_calls
    assert json.loads(call.function.arguments) == {"place": "Oslo"}
    assert completion.choices[0].finish_reason == "tool_calls"
    result = {"role": "tool", "tool_call_id": call.id, "content": "Rain."}
    history = [*HELLO, message.model_dump(exclude_none=True), result]
    await stage.openai.chat.completions.create(messages=history, **asked)
    assert stage.asked["messages"][1:] == [
        {"role": "assistant", "content": [TEXT, CALL]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain."}],
        },
    ]


class Place(BaseModel):
    name: str


async def test_openais_client_gets_a_structured_answer(stage: Stage) -> None:
    stage.upstream.script(whole({"type": "text", "text": '{"name": "Oslo"}'}))
    completion = await stage.openai.chat.completions.parse(
        model="acme/claude", messages=HELLO, max_tokens=100, response_format=Place
    )
    assert completion.choices[0].message.parsed == Place(name="Oslo")
    assert stage.asked["output_config"]["format"]["type"] == "json_schema"


async def test_thinking_goes_back_to_anthropic_signed_as_it_was(stage: Stage) -> None:
    stage.upstream.script(whole(THINKING, REDACTED, TEXT, CALL, stop_reason="tool_use"), whole())
    asked: dict[str, Any] = {
        "model": "acme/claude",
        "max_tokens": 8000,
        "tools": [WEATHER],
        "reasoning_effort": "low",
    }
    completion = await stage.openai.chat.completions.create(messages=HELLO, **asked)
    message = completion.choices[0].message
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "Rain."}
    history: Any = [*HELLO, message.model_dump(exclude_none=True), result]
    await stage.openai.chat.completions.create(messages=history, **asked)
    assert stage.asked["messages"][1]["content"] == [THINKING, REDACTED, TEXT, CALL]
    assert stage.asked["thinking"] == {"type": "enabled", "budget_tokens": 1024}


@pytest.mark.parametrize("stream", [False, True])
async def test_anthropics_client_gets_what_anthropic_said(stage: Stage, stream: bool) -> None:
    content = (THINKING, REDACTED, TEXT, CALL)
    stage.upstream.script((streamed if stream else whole)(*content, stop_reason="tool_use"))
    asked: dict[str, Any] = {
        "model": "acme/claude",
        "max_tokens": 100,
        "messages": HELLO,
        "tools": [WEATHER_TOOL],
    }
    if stream:
        async with stage.anthropic.messages.stream(**asked) as stream_events:
            message: Any = await stream_events.get_final_message()
    else:
        message = await stage.anthropic.messages.create(**asked)
    told = [block.model_dump(exclude_none=True) for block in message.content]
    assert [{k: v for k, v in one.items() if k in (*CALL, *THINKING, *REDACTED, *TEXT)}
            for one in told] == list(content)  # fmt: skip
    assert (message.model, message.stop_reason) == ("acme/claude", "tool_use")
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (10, 1000)
    assert message.usage.cache_creation_input_tokens == 100
    assert message.usage.output_tokens == 50
    assert "XFDUDY" not in message.id


async def test_what_anthropics_client_sends_is_passed_on_as_it_is(stage: Stage) -> None:
    stage.upstream.script(whole())
    history: list[MessageParam] = [
        {
            "role": "user",
            "content": [
                {
                    "type": "text",
                    "text": "Say hello.",
                    "cache_control": {"type": "ephemeral", "ttl": "1h"},
                }
            ],
        }
    ]
    await stage.anthropic.messages.create(
        model="acme/claude", max_tokens=5000, messages=history,
        thinking={"type": "enabled", "budget_tokens": 2048}, extra_body={"top_k": 4},
    )  # fmt: skip
    asked = stage.asked
    assert asked["messages"] == history
    assert (asked["top_k"], asked["thinking"]["budget_tokens"]) == (4, 2048)


async def test_an_overloaded_anthropic_is_asked_again(stage: Stage) -> None:
    broken = sending(sse([*events()[:2], error_event("overloaded_error")]), "text/event-stream")
    stage.upstream.script(error(529), broken, streamed())
    async with stage.anthropic.messages.stream(
        model="acme/claude", max_tokens=100, messages=HELLO
    ) as stream_events:
        message = await stream_events.get_final_message()
    assert message.stop_reason == "end_turn"
    assert len(stage.upstream.requests) == 3
