"""A host of OpenAI's responses wire behind the official clients' routes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.support.client import Account
from tests.support.engine import running_engine
from tests.support.official import anthropic_client, openai_client
from tests.support.scripted_provider import ScriptedProvider, stream
from tests.support.scripted_responses import (
    call,
    events,
    message,
    reasoning,
    respond,
    respond_in_events,
)

TOOL: Any = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}


@pytest.fixture
async def host() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as upstream:
        upstream.default = respond()
        yield upstream


@pytest.fixture
async def account(tmp_path: Path, host: ScriptedProvider) -> AsyncIterator[Account]:
    """An account of an engine whose model `omega` is served by the host."""
    offer = {"provider": "h2", "native_id": "omega", "input": "1.00", "output": "2.00"}
    model = {"context_length": 131_072, "max_output_tokens": 4096, "offers": [offer]}
    async with running_engine(
        tmp_path / "data",
        more_providers={"h2": {"protocol": "openai-responses", "base_url": host.base_url}},
        more_models={"acme/omega": model},
    ) as engine:
        yield await engine.account()


@pytest.fixture
async def official(account: Account) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai_client(account) as client:
        yield client


async def test_a_response_is_answered_whole_under_our_name(
    official: openai.AsyncOpenAI,
) -> None:
    response = await official.responses.create(
        model="acme/omega", input="Hi.", max_output_tokens=100
    )
    assert (response.output_text, response.model) == ("Hello there.", "acme/omega")
    assert response.id != "resp_upstream"
    assert response.usage is not None
    assert response.usage.input_tokens_details.cached_tokens == 4


async def test_a_response_is_streamed_under_our_numbers(
    official: openai.AsyncOpenAI, host: ScriptedProvider
) -> None:
    host.script(respond_in_events(reasoning("Hm."), message(), call("a", "f", '{"x":1}')))
    async with official.responses.stream(model="acme/omega", input="Hi.") as streamed:
        seen = [event async for event in streamed]
        final = await streamed.get_final_response()
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]
    assert final.id == seen[0].response.id  # type: ignore[union-attr]
    assert (final.output_text, final.model) == ("Hello there.", "acme/omega")


async def test_a_response_in_the_background_goes_on_with_another_and_its_reasoning(
    official: openai.AsyncOpenAI, host: ScriptedProvider
) -> None:
    host.script(respond(reasoning("Hm.", "E"), call("a", "f", "{}")), respond_in_events())
    first = await official.responses.create(
        model="acme/omega", input="Hi.", tools=[TOOL], max_output_tokens=100
    )
    result: Any = {"type": "function_call_output", "call_id": "a", "output": "4"}
    stream_of = await official.responses.create(
        model="acme/omega",
        input=[result],
        previous_response_id=first.id,
        background=True,
        stream=True,
    )
    kinds = [event.type async for event in stream_of]
    assert kinds[-1] == "response.completed"
    given = host.requests[1].body["input"]
    assert [item.get("type") for item in given] == [
        None,
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert given[1]["encrypted_content"] == "E"
    assert host.requests[1].body["store"] is False


async def test_a_stream_that_fails_at_the_host_ends_with_a_failed_response(
    official: openai.AsyncOpenAI, host: ScriptedProvider
) -> None:
    host.script(stream(events()[:-1], done=False))
    async with official.responses.stream(model="acme/omega", input="Hi.") as streamed:
        seen = [event async for event in streamed]
    assert seen[-1].type == "response.failed"


async def test_a_chat_client_is_served_by_the_host(
    official: openai.AsyncOpenAI, host: ScriptedProvider
) -> None:
    host.script(respond_in_events(message("One two."), call("a", "f", '{"x":1}')))
    async with official.chat.completions.stream(
        model="acme/omega", messages=[{"role": "user", "content": "Hi."}]
    ) as streamed:
        final = await streamed.get_final_completion()
    told = final.choices[0].message
    assert told.content == "One two."
    assert told.tool_calls is not None
    assert told.tool_calls[0].id == "a"


async def test_anthropics_client_is_served_by_the_host(
    account: Account, host: ScriptedProvider
) -> None:
    host.script(respond_in_events(message("One two.")))
    async with (
        anthropic_client(account) as client,
        client.messages.stream(
            model="acme/omega", max_tokens=2000, messages=[{"role": "user", "content": "Hi."}]
        ) as streamed,
    ):
        final = await streamed.get_final_message()
    assert [block.text for block in final.content if block.type == "text"] == ["One two."]


async def test_an_old_completion_is_served_by_the_host(official: openai.AsyncOpenAI) -> None:
    completed = await official.completions.create(model="acme/omega", prompt="Hi.")
    assert completed.choices[0].text == "Hello there."
