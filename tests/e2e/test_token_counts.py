"""Counting the tokens of a request before it is sent, for both official clients."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from tests.support.client import Account
from tests.support.engine import RunningEngine
from tests.support.official import anthropic_client, openai_client

HELLO: Any = [{"role": "user", "content": "Say hello to everybody in the room, twice."}]
SCHEMA = {"type": "object", "properties": {"place_of_interest": {"type": "string"}}}
TOOL: Any = {"name": "weather", "description": "The weather at a place.", "input_schema": SCHEMA}
SOURCE = {"type": "base64", "media_type": "image/png", "data": "A" * 10**6}
IMAGE = {"type": "image", "source": SOURCE}


@pytest.fixture
async def client(account: Account) -> AsyncIterator[AsyncAnthropic]:
    async with anthropic_client(account) as opened:
        yield opened


@pytest.fixture
async def other(account: Account) -> AsyncIterator[AsyncOpenAI]:
    async with openai_client(account) as opened:
        yield opened


async def test_anthropics_client_counts_a_message(client: AsyncAnthropic) -> None:
    count = await client.messages.count_tokens(model="alpha", messages=HELLO)
    assert 12 <= count.input_tokens <= 22


async def test_everything_that_the_model_reads_is_counted(client: AsyncAnthropic) -> None:
    bare = await client.messages.count_tokens(model="alpha", messages=HELLO)
    told = await client.messages.count_tokens(model="alpha", messages=HELLO, system="Be brief.")
    tool = await client.messages.count_tokens(model="alpha", messages=HELLO, tools=[TOOL])
    assert told.input_tokens > bare.input_tokens
    assert tool.input_tokens > bare.input_tokens + 15


async def test_an_image_counts_as_one(client: AsyncAnthropic) -> None:
    seen: Any = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, IMAGE]}]
    count = await client.messages.count_tokens(model="alpha", messages=seen)
    assert 1000 < count.input_tokens < 1100


async def test_openais_client_counts_a_response(other: AsyncOpenAI) -> None:
    count = await other.responses.input_tokens.count(model="alpha", input="Say hello, twice.")
    more = await other.responses.input_tokens.count(
        model="alpha", input="Say hello, twice.", instructions="Be brief and to the point."
    )
    assert count.object == "response.input_tokens"
    assert 4 <= count.input_tokens < more.input_tokens


async def test_what_a_response_goes_on_with_is_counted(other: AsyncOpenAI) -> None:
    first = await other.responses.create(model="alpha", input="Say hello. " * 20)
    count = await other.responses.input_tokens.count(
        model="alpha", input="And again.", previous_response_id=first.id
    )
    assert count.input_tokens > 60


async def test_counting_asks_nobody_and_costs_nothing(
    engine: RunningEngine, client: AsyncAnthropic, account: Account
) -> None:
    raw = await client.messages.with_raw_response.count_tokens(model="alpha", messages=HELLO)
    assert raw.headers["x-gatewayz-token-source"] == "estimate"
    assert engine.upstream.requests == []
    balance = await account.balance()
    assert (balance["available_usd"], balance["held_usd"]) == ("10.00", "0.00")
    assert (await account.get("/v1/jobs")).json["data"] == []


async def test_refusals_are_in_the_shape_of_the_wire(
    client: AsyncAnthropic, other: AsyncOpenAI, account: Account
) -> None:
    with pytest.raises(anthropic.NotFoundError) as unknown:
        await client.messages.count_tokens(model="nothing", messages=HELLO)
    assert unknown.value.type == "not_found_error"
    with pytest.raises(anthropic.BadRequestError) as wrong:
        await client.messages.count_tokens(model="alpha", messages=[])
    assert wrong.value.type == "invalid_request_error"
    with pytest.raises(openai.NotFoundError):
        await other.responses.input_tokens.count(model="nothing", input="a")
    _, key = await account.key("jobs")
    async with anthropic_client(key) as poor:
        with pytest.raises(anthropic.PermissionDeniedError):
            await poor.messages.count_tokens(model="alpha", messages=HELLO)


async def test_a_router_s_request_is_counted_though_its_model_is_not_chosen(
    client: AsyncAnthropic,
) -> None:
    count = await client.messages.count_tokens(model="router:general:cost", messages=HELLO)
    assert count.input_tokens > 5
