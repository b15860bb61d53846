"""Providers and callers that write what nobody expects: an answer, or a clean error."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Account
from tests.support.engine import RunningEngine
from tests.support.scripted_provider import USAGE, Reply, chunk, completion, stream, whole

PATH = "/v1/chat/completions"
BODY: dict[str, Any] = {
    "model": "alpha",
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 100,
}
ANSWERS: dict[str, Reply] = {
    "a text for an object": whole(completion(x_groq="req_1")),
    "a text for an object, streamed": stream(
        [chunk({"content": "Hello."}), chunk({}, "stop", usage=USAGE, x_groq="req_1")]
    ),
}
NO_ANSWERS: dict[str, Reply] = {
    "a choice that is none": whole(completion(choices=[*completion()["choices"], None])),
    "choices that are none": whole(completion(choices={"0": {}})),
    "calls that are none": whole(
        completion(
            choices=[{"index": 0, "message": {"tool_calls": "f()"}, "finish_reason": "tool_calls"}]
        )
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_what_stands_in_an_odd_place_is_passed_over(
    engine: RunningEngine, account: Account, name: str, is_streamed: bool
) -> None:
    engine.upstream.default = ANSWERS[name]
    reply = await account.post(PATH, {**BODY, "stream": is_streamed})
    assert (reply.status, b"Hello" in reply.body) == (200, True)
    job = await account.finished(reply.headers["x-gatewayz-job-id"])
    assert (job["usage"]["input_tokens"], job["usage"]["output_tokens"]) == (11, 7)


@pytest.mark.parametrize("name", NO_ANSWERS)
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_what_is_no_answer_ends_the_job_and_costs_nothing(
    engine: RunningEngine, account: Account, name: str, is_streamed: bool
) -> None:
    engine.upstream.default = NO_ANSWERS[name]
    reply = await account.post(PATH, {**BODY, "stream": is_streamed})
    assert (reply.status, reply.error["code"]) == (502, "provider_error")
    balance = await account.balance()
    assert (balance["available_usd"], balance["held_usd"]) == ("10.00", "0.00")


async def test_a_choice_that_ends_twice_ends_once_for_the_client(
    engine: RunningEngine, account: Account
) -> None:
    ends = [chunk({}, "stop"), chunk({"content": "!"}), chunk({}, "length")]
    engine.upstream.default = stream([chunk({"content": "Hello"}), *ends])
    reply = await account.post(PATH, {**BODY, "stream": True})
    assert reply.body.count(b'"finish_reason":"length"') == 1
    assert b'"finish_reason":"stop"' not in reply.body


@pytest.mark.parametrize("name", ["fööd\r\nset-cookie: a=b", "x" * 5000])
async def test_any_name_of_a_dropped_parameter_is_told_in_a_header(
    account: Account, name: str
) -> None:
    body = {"model": "alpha", "input": "Say hello.", name: 1}
    reply = await account.post("/v1/responses", body)
    assert reply.status == 200
    assert "set-cookie" not in reply.headers
    assert 0 < len(reply.headers["x-gatewayz-dropped-params"]) < 1100


async def test_a_prompt_that_cannot_be_paid_for_leaves_nothing_on_the_disk(
    engine: RunningEngine,
) -> None:
    poor = await engine.account(credit_usd=None)
    reply = await poor.post("/v1/responses", {"model": "alpha", "input": "word " * 200_000})
    assert reply.status == 402
    assert large_files(engine.settings.data_dir) == []


def large_files(folder: Path) -> list[Path]:
    """The files in which a prompt of a million characters could stand."""
    blobs = (path for path in folder.rglob("*") if path.is_file() and not path.match("*.db*"))
    return [path for path in blobs if path.stat().st_size > 100_000]
