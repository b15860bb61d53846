"""Chat completions and embeddings for OpenAI's own client, whole and streamed."""

from collections.abc import AsyncIterator
from decimal import Decimal

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from tests.support.client import Account
from tests.support.engine import RunningEngine
from tests.support.official import openai_client
from tests.support.scripted_provider import answer, chunk, error, stream, words

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]


@pytest.fixture
async def client(account: Account) -> AsyncIterator[AsyncOpenAI]:
    async with openai_client(account) as opened:
        yield opened


async def streamed(client: AsyncOpenAI, **options: object) -> list[ChatCompletionChunk]:
    events = await client.chat.completions.create(  # type: ignore[call-overload]
        model="alpha", messages=HELLO, stream=True, **options
    )
    return [event async for event in events]


def said(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)


async def test_a_whole_answer_says_who_served_it_and_what_it_cost(
    engine: RunningEngine, client: AsyncOpenAI, account: Account
) -> None:
    engine.upstream.script(answer("Forty-two."))
    raw = await client.chat.completions.with_raw_response.create(model="alpha", messages=HELLO)
    reply = raw.parse()
    assert reply.choices[0].message.content == "Forty-two."
    assert (reply.model, reply.object) == ("acme/alpha", "chat.completion")
    assert reply.id.startswith("chatcmpl-")
    assert raw.headers["x-gatewayz-provider"] == "h1"
    assert raw.headers["x-gatewayz-model"] == "acme/alpha"
    charges = await account.charges(raw.headers["x-gatewayz-job-id"])
    assert [charge["amount_usd"] for charge in charges] == [raw.headers["x-gatewayz-cost-usd"]]


async def test_a_stream_brings_the_answer_in_pieces_and_ends_with_its_reason(
    engine: RunningEngine, client: AsyncOpenAI
) -> None:
    engine.upstream.script(answer("one two three"))
    chunks = await streamed(client)
    assert said(chunks) == "one two three"
    assert [one.choices[0].finish_reason for one in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert {one.id for one in chunks} == {chunks[0].id}
    assert {one.model for one in chunks} == {"acme/alpha"}


async def test_a_stream_tells_its_usage_only_to_who_asked(
    engine: RunningEngine, client: AsyncOpenAI
) -> None:
    assert all(one.usage is None for one in await streamed(client))
    last = (await streamed(client, stream_options={"include_usage": True}))[-1]
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (11, 7)


async def test_pieces_are_passed_on_as_they_come(
    engine: RunningEngine, client: AsyncOpenAI
) -> None:
    engine.upstream.script(stream(words("one two"), gap=0.15))
    events = await client.chat.completions.create(model="alpha", messages=HELLO, stream=True)
    seen = engine.upstream.requests
    async for _ in events:
        assert not seen[0].finished.is_set()
        break
    await events.close()


async def test_what_the_provider_adds_for_itself_is_not_passed_on(
    engine: RunningEngine, client: AsyncOpenAI
) -> None:
    reply = await client.chat.completions.create(model="alpha", messages=HELLO)
    assert reply.system_fingerprint is None
    assert "x_upstream" not in reply.model_dump()


async def test_what_the_caller_sends_is_neither_added_to_nor_left_out(
    engine: RunningEngine, client: AsyncOpenAI
) -> None:
    await client.chat.completions.create(
        model="alpha", messages=HELLO, seed=7, extra_body={"top_k": 3}
    )
    assert engine.upstream.requests[0].body == {
        "model": "alpha",
        "messages": HELLO,
        "seed": 7,
        "top_k": 3,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_tool_calls_come_through_a_stream(engine: RunningEngine, client: AsyncOpenAI) -> None:
    call = {"index": 0, "id": "call_1", "type": "function"}
    engine.upstream.script(
        stream(
            [
                chunk({"role": "assistant", "tool_calls": [{**call, "function": {"name": "f"}}]}),
                chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"x":'}}]}),
                chunk({"tool_calls": [{"index": 0, "function": {"arguments": " 1}"}}]}),
                chunk({}, "tool_calls"),
            ]
        )
    )
    chunks = await streamed(client)
    calls = [one.choices[0].delta.tool_calls for one in chunks]
    arguments = "".join(
        call.function.arguments or ""
        for group in calls
        for call in group or ()
        if call.function is not None
    )
    assert arguments == '{"x": 1}'
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_embeddings(client: AsyncOpenAI) -> None:
    reply = await client.embeddings.create(
        model="embed", input=["one", "two"], encoding_format="float"
    )
    assert [row.index for row in reply.data] == [0, 1]
    assert reply.model == "acme/embed"


async def test_an_unknown_model_is_not_found_and_costs_nothing(
    client: AsyncOpenAI, account: Account
) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await client.chat.completions.create(model="alpah", messages=HELLO)
    assert "alpha" in refused.value.message
    assert (await account.balance())["held_usd"] == "0.00"


async def test_a_request_beyond_the_balance_never_reaches_a_provider(engine: RunningEngine) -> None:
    poor = await engine.account(credit_usd="0.001")
    async with openai_client(poor) as client:
        with pytest.raises(openai.APIStatusError) as refused:
            await client.chat.completions.create(model="alpha", messages=HELLO)
    assert refused.value.status_code == 402
    assert refused.value.code == "insufficient_credits"
    assert engine.upstream.requests == []


async def test_a_stream_that_fails_before_it_began_is_an_ordinary_error(
    engine: RunningEngine, client: AsyncOpenAI, account: Account
) -> None:
    engine.upstream.default = error(400, message="secret text")
    with pytest.raises(openai.BadRequestError) as refused:
        await streamed(client)
    assert "secret" not in refused.value.message
    assert (await account.balance())["available_usd"] == "10.00"


async def test_a_whole_answer_to_a_request_for_a_stream_is_streamed(
    engine: RunningEngine, client: AsyncOpenAI
) -> None:
    async def whole(request: object, seen: object) -> object:
        seen.body["stream"] = False  # type: ignore[attr-defined]
        return await answer("all at once")(request, seen)  # type: ignore[arg-type]

    engine.upstream.script(whole)  # type: ignore[arg-type]
    chunks = await streamed(client)
    assert said(chunks) == "all at once"
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_holds_are_gone_and_charges_add_up_when_all_is_done(
    client: AsyncOpenAI, account: Account
) -> None:
    for _ in range(3):
        await client.chat.completions.create(model="alpha", messages=HELLO)
        await streamed(client)
    balance = await account.balance()
    listed = (await account.get("/v1/billing/charges")).json["data"]
    assert len(listed) == 6
    spent = sum(Decimal(charge["amount_usd"]) for charge in listed)
    assert Decimal(balance["available_usd"]) == Decimal("10.00") - spent
