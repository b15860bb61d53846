"""A provider that thinks for long: its stream is opened meanwhile, and shows that it stands."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from anthropic import APIStatusError, AsyncAnthropic
from openai import APIError, AsyncOpenAI, BadRequestError

from tests.support.client import Account
from tests.support.engine import RunningEngine, running_engine
from tests.support.official import anthropic_client, openai_client
from tests.support.scripted_provider import (
    Reply,
    Seen,
    answer,
    completion,
    error,
    silence,
    stream,
    whole,
    words,
)

KEEP_ALIVE_SECONDS = 0.2
SILENT_SECONDS = 1.0
COMMENT = b": still running\n\n"
PING = b'event: ping\ndata: {"type":"ping"}\n\n'
CHAT: dict[str, Any] = {"model": "alpha", "messages": [{"role": "user", "content": "Say hello."}]}
MESSAGE: dict[str, Any] = {**CHAT, "max_tokens": 100}


@asynccontextmanager
async def opened(folder: Path, **changes: Any) -> AsyncIterator[RunningEngine]:
    http = {"stream_keep_alive": KEEP_ALIVE_SECONDS}
    async with running_engine(folder, **{"http": http, **changes}) as running:
        yield running


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[RunningEngine]:
    async with opened(tmp_path / "data", attempts={"max_attempts": 2}) as running:
        yield running


@pytest.fixture
async def openai(account: Account) -> AsyncIterator[AsyncOpenAI]:
    async with openai_client(account) as client:
        yield client


@pytest.fixture
async def anthropic(account: Account) -> AsyncIterator[AsyncAnthropic]:
    async with anthropic_client(account) as client:
        yield client


async def raw(
    account: Account, path: str, body: dict[str, Any], **more: str
) -> tuple[Any, list[bytes]]:
    """The reply's head, and every part of its stream with what ends it."""
    headers = {"authorization": f"Bearer {account.api_key}", **more}
    url = account.base_url + path
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={**body, "stream": True}, headers=headers) as response,
    ):
        content = await response.read()
        return response, [part + b"\n\n" for part in content.split(b"\n\n")[:-1]]


def failed_after(seconds: float, status: int) -> Reply:
    """An error that comes late."""

    async def reply(request: web.Request, seen: Seen) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await error(status)(request, seen)

    return reply


async def test_openais_client_passes_over_the_signs_of_life(
    engine: RunningEngine, openai: AsyncOpenAI
) -> None:
    engine.upstream.default = stream(words("one two"), delay=SILENT_SECONDS, gap=0.3)
    chunks = [chunk async for chunk in await openai.chat.completions.create(**CHAT, stream=True)]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one two"
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_anthropics_client_passes_over_the_pings(
    engine: RunningEngine, anthropic: AsyncAnthropic
) -> None:
    engine.upstream.default = stream(words("one two"), delay=SILENT_SECONDS, gap=0.3)
    async with anthropic.messages.stream(**MESSAGE) as told:
        message = await told.get_final_message()
    assert [block.text for block in message.content if block.type == "text"] == ["one two"]


async def test_the_client_of_responses_passes_over_them_too(
    engine: RunningEngine, openai: AsyncOpenAI
) -> None:
    engine.upstream.default = stream(words("one two"), delay=SILENT_SECONDS, gap=0.3)
    async with openai.responses.stream(model="alpha", input="Say hello.") as told:
        response = await told.get_final_response()
    assert response.output_text == "one two"


@pytest.mark.parametrize(
    ("path", "body", "sign"),
    [
        ("/v1/chat/completions", CHAT, COMMENT),
        ("/v1/completions", {"model": "alpha", "prompt": "Say hello."}, COMMENT),
        ("/v1/responses", {"model": "alpha", "input": "Say hello."}, COMMENT),
        ("/v1/messages", MESSAGE, PING),
    ],
)
async def test_a_silent_stream_is_opened_and_tells_again_and_again_that_it_stands(
    engine: RunningEngine, account: Account, path: str, body: dict[str, Any], sign: bytes
) -> None:
    engine.upstream.default = stream(words("one"), delay=SILENT_SECONDS)
    response, parts = await raw(account, path, body)
    before = parts[: next(place for place, part in enumerate(parts) if part != sign)]
    assert response.status == 200
    assert len(before) >= 2
    assert sign not in parts[len(before) :]
    assert response.headers["x-gatewayz-job-id"].startswith("job_")


async def test_a_stream_that_falls_silent_between_words_tells_that_it_stands(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.default = stream(words("one two"), gap=KEEP_ALIVE_SECONDS * 2)
    _, parts = await raw(account, "/v1/chat/completions", CHAT)
    first = next(place for place, part in enumerate(parts) if b'"one"' in part)
    assert COMMENT in parts[first:]


async def test_a_stream_that_is_not_silent_says_nothing_else(tmp_path: Path) -> None:
    """However long it takes: each gap is far from a silence, all of them are longer than one."""
    async with opened(tmp_path, http={"stream_keep_alive": 1.5}) as engine:
        engine.upstream.default = stream(words("one two three four five six"), gap=0.3)
        account = await engine.account()
        response, parts = await raw(account, "/v1/chat/completions", CHAT)
        assert COMMENT not in parts
        assert response.headers["x-gatewayz-provider"] == "h1"


async def test_without_the_setting_nothing_is_opened_before_the_first_word(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, http={"stream_keep_alive": 0}) as engine:
        account = await engine.account()
        engine.upstream.default = failed_after(SILENT_SECONDS, 400)
        response, _ = await raw(account, "/v1/chat/completions", CHAT)
        assert response.status == 400


@pytest.mark.parametrize(
    ("silence_seconds", "fewest", "most"), [(KEEP_ALIVE_SECONDS, 4, 99), (0, 0, 0), (15, 0, 0)]
)
async def test_a_response_in_the_background_shows_that_it_stands_as_often_as_is_set(
    tmp_path: Path, silence_seconds: float, fewest: int, most: int
) -> None:
    async with opened(tmp_path, http={"stream_keep_alive": silence_seconds}) as engine:
        engine.upstream.default = stream(words("one"), delay=SILENT_SECONDS * 1.5)
        account = await engine.account()
        body = {"model": "alpha", "input": "Say hello.", "background": True}
        _, parts = await raw(account, "/v1/responses", body)
        assert fewest <= parts.count(COMMENT) <= most
        assert parts[-1].startswith(b"event: response.completed\n")


async def test_what_fails_before_the_stream_was_opened_keeps_its_status(
    engine: RunningEngine, openai: AsyncOpenAI
) -> None:
    engine.upstream.default = error(400)
    with pytest.raises(BadRequestError):
        await openai.chat.completions.create(**CHAT, stream=True)


async def test_what_fails_after_a_silence_is_told_in_the_stream(
    engine: RunningEngine, account: Account, openai: AsyncOpenAI
) -> None:
    engine.upstream.default = failed_after(SILENT_SECONDS, 400)
    told = await openai.chat.completions.create(**CHAT, stream=True)
    with pytest.raises(APIError) as caught:
        await anext(told)
    assert caught.value.code == "invalid_request"
    job_id = told.response.headers["x-gatewayz-job-id"]
    assert (await account.finished(job_id))["status"] == "failed"
    assert await account.charges(job_id) == []


async def test_anthropics_client_is_told_so_in_its_own_words(
    engine: RunningEngine, anthropic: AsyncAnthropic
) -> None:
    engine.upstream.default = failed_after(SILENT_SECONDS, 400)
    with pytest.raises(APIStatusError) as caught:
        async with anthropic.messages.stream(**MESSAGE) as told:
            await told.get_final_message()
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["type"] == "error"


async def test_a_response_that_fails_after_a_silence_begins_and_fails(
    engine: RunningEngine, openai: AsyncOpenAI
) -> None:
    engine.upstream.default = failed_after(SILENT_SECONDS, 400)
    events = [
        event.type
        async for event in await openai.responses.create(
            model="alpha", input="Say hello.", stream=True
        )
    ]
    assert events == ["response.created", "response.in_progress", "response.failed"]


async def test_another_attempt_answers_in_the_stream_that_was_opened(
    engine: RunningEngine, account: Account, openai: AsyncOpenAI
) -> None:
    engine.upstream.script(failed_after(SILENT_SECONDS, 503), answer("two"))
    told = await openai.chat.completions.create(**CHAT, stream=True)
    chunks = [chunk async for chunk in told]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "two"
    job_id = told.response.headers["x-gatewayz-job-id"]
    assert len(await account.charges(job_id)) == 1


async def test_an_answer_that_comes_whole_after_a_silence_is_told_in_the_stream(
    engine: RunningEngine, openai: AsyncOpenAI
) -> None:
    async def late(request: web.Request, seen: Seen) -> web.StreamResponse:
        await asyncio.sleep(SILENT_SECONDS)
        return await whole(completion("All at once."))(request, seen)

    engine.upstream.default = late
    told = [chunk async for chunk in await openai.chat.completions.create(**CHAT, stream=True)]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in told) == "All at once."
    assert told[-1].choices[0].finish_reason == "stop"


async def test_who_leaves_a_silent_stream_ends_it(engine: RunningEngine, account: Account) -> None:
    engine.upstream.default = silence()
    headers = {"authorization": f"Bearer {account.api_key}"}
    url = f"{account.base_url}/v1/chat/completions"
    async with aiohttp.ClientSession() as session:
        response = await session.post(url, json={**CHAT, "stream": True}, headers=headers)
        assert await response.content.readuntil(b"\n\n") == COMMENT
        job_id = response.headers["x-gatewayz-job-id"]
        response.close()
    job = await account.finished(job_id)
    assert (job["status"], job["cost_usd"]) == ("cancelled", "0.00")
    assert engine.upstream.requests[0].disconnected


async def test_a_key_that_ends_gets_no_more_of_a_silent_stream(
    engine: RunningEngine, account: Account
) -> None:
    made = await account.post("/v1/keys", {"name": "short-lived"})
    client = account.with_key(made.json["api_key"])
    engine.upstream.default = silence()
    asked = asyncio.create_task(client.post("/v1/chat/completions", {**CHAT, "stream": True}))
    async with asyncio.timeout(10):
        while not engine.upstream.requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(KEEP_ALIVE_SECONDS * 1.5)
        await account.post(f"/v1/keys/{made.json['key']['id']}/revoke")
        assert b'"code":"api_key_revoked"' in (await asked).body


async def test_a_request_that_waits_for_an_earlier_one_shows_that_it_stands_too(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.default = stream(words("one two"), delay=SILENT_SECONDS)
    key = {"idempotency-key": "order-7"}
    path = "/v1/chat/completions"
    replies = await asyncio.gather(*(raw(account, path, CHAT, **key) for _ in range(2)))
    for response, parts in replies:
        assert response.status == 200
        assert parts.count(COMMENT) >= 2
        assert parts[-1] == b"data: [DONE]\n\n"
        assert b"".join(parts).count(b'"finish_reason":"stop"') == 1
    again = [response.headers.get("idempotent-replayed") for response, _ in replies]
    assert again.count("true") == 1
    assert len(engine.upstream.requests) == 1


@pytest.mark.parametrize(
    ("path", "body", "last"),
    [
        ("/v1/chat/completions", CHAT, b"data: [DONE]\n\n"),
        ("/v1/responses", {"model": "alpha", "input": "Say hello."}, b"event: error\n"),
        ("/v1/messages", MESSAGE, b"event: error\n"),
    ],
)
async def test_and_is_told_a_failure_in_its_stream(
    engine: RunningEngine, account: Account, path: str, body: dict[str, Any], last: bytes
) -> None:
    engine.upstream.default = failed_after(SILENT_SECONDS, 400)
    key = {"idempotency-key": "order-7"}
    replies = await asyncio.gather(*(raw(account, path, body, **key) for _ in range(2)))
    [parts] = [told for head, told in replies if head.headers.get("idempotent-replayed")]
    assert b"invalid_request" in b"".join(parts)
    assert parts[-1].startswith(last)
