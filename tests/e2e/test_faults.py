"""Every failure of a provider, for a client that waits: whole and streamed (DESIGN §7).

A fault ends in a complete answer of the other provider or in one clean error within a bounded
time; what was cut is never told as complete, a provider that fails is not hammered, and a hop
that failed costs nothing.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from tests.support.client import Account, Answer
from tests.support.engine import RunningEngine, running_engine
from tests.support.scripted_provider import (
    Reply,
    ScriptedProvider,
    answer,
    chunk,
    completion,
    cut_body,
    error,
    hang_up,
    silence,
    stream,
    whole,
    words,
)

TEXT = "The whole answer of eight words stands here."
SOME = words(TEXT)[:5]
BODY: dict[str, Any] = {
    "model": "acme/two",
    "messages": [{"role": "user", "content": "Say it."}],
    "max_tokens": 50,
}
TIMEOUTS = {
    "connect_timeout": 1,
    "first_byte_timeout": 0.3,
    "chunk_timeout": 0.3,
    "total_timeout": 5,
}
# What one test does to a provider is not to be seen by the next.
NEVER_OPEN = {"consecutive_failures": 10**6, "minimum_requests": 10**6}
# The second asks for so little that the first choice is clear.
OFFERS = [
    {"provider": "h1", "native_id": "one", "input": "1.00", "output": "2.00"},
    {"provider": "h2", "native_id": "two", "input": "3.00", "output": "4.00"},
]
# At once, before anything of an answer has come: another provider answers.
BEFORE: dict[str, Reply] = {
    "429": error(429),
    "429 for long": error(429, retry_after="60"),
    "500": error(500),
    "503": error(503),
    "529": error(529),
    "401": error(401),
    "402": error(402),
    "404": error(404),
    "no money": error(429, code="insufficient_quota"),
    "reset before headers": hang_up(),
    "silence": silence(),
    "html": whole(b"<html>secret text</html>"),
    "an error in a 200": whole({"error": {"message": "secret text"}}),
    "an empty answer": whole(completion() | {"choices": []}),
}
# For a stream these come before the first word, too.
SLOW_START: dict[str, Reply] = {
    "slow first token": stream(words(TEXT), delay=30),
    "only the role": stream(SOME[:1], done=False, hang=True),
    "error before the first word": stream([SOME[0], '{"error": {"message": "secret text"}}']),
    "ended before the first word": stream(SOME[:1], done=False),
}
# After some of the answer: a whole request is answered by the other, a stream ends in an error.
MIDWAY: dict[str, Reply] = {
    "cut": stream(SOME, done=False, cut=True),
    "stalled": stream(SOME, done=False, hang=True),
    "malformed chunk": stream([*SOME, "{oops"]),
    "error in the stream": stream([*SOME, '{"error": {"message": "secret text"}}']),
    "ended without a reason": stream(SOME, done=False),
}
# What the caller did: told at once, asked nowhere else.
CALLERS: dict[str, tuple[Reply, int, str]] = {
    "400": (error(400), 400, "invalid_request"),
    "413": (error(413), 413, "request_too_large"),
    "422": (error(422), 400, "invalid_request"),
    "context": (error(400, code="context_length_exceeded"), 400, "context_length_exceeded"),
    "refusal": (error(403, code="content_filter"), 400, "content_refused"),
}
pytestmark = pytest.mark.asyncio(loop_scope="module")
MODES = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@dataclass
class Stage:
    """An engine whose model has two providers, and an account."""

    engine: RunningEngine
    second: ScriptedProvider
    account: Account

    @property
    def first(self) -> ScriptedProvider:
        return self.engine.upstream

    async def ask(self, *, streamed: bool, **changes: Any) -> Answer:
        body = {**BODY, **changes, "stream": streamed}
        return await self.account.post("/v1/chat/completions", body)

    async def spent(self) -> Decimal:
        """What the account has paid; nothing may be held any more."""
        balance = await self.account.balance()
        assert balance["held_usd"] == "0.00"
        return Decimal("10.00") - Decimal(balance["available_usd"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[RunningEngine, ScriptedProvider]]:
    async with ScriptedProvider() as second:
        model = {"context_length": 131_072, "max_output_tokens": 4096, "offers": OFFERS}
        async with running_engine(
            tmp_path_factory.mktemp("faults") / "data",
            more_providers={"h2": {"protocol": "openai-chat", "base_url": second.base_url}},
            more_models={
                "acme/two": model,
                "acme/goes-on": {**model, "capabilities": ["prefill"]},
            },
            attempts=TIMEOUTS,
            breaker=NEVER_OPEN,
        ) as engine:
            yield engine, second


@pytest_asyncio.fixture(loop_scope="module")
async def stage(running: tuple[RunningEngine, ScriptedProvider]) -> Stage:
    """The providers as if nothing had happened before, and a new account."""
    engine, second = running
    engine.upstream.forget()
    second.forget()
    second.default = answer(TEXT)
    return Stage(engine, second, await engine.account())


def chunks(reply: Answer) -> list[dict[str, Any]]:
    """The events of a stream, which must end as one does."""
    *frames, end, rest = reply.body.split(b"\n\n")
    assert (end, rest) == (b"data: [DONE]", b"")
    return [json.loads(frame.removeprefix(b"data: ")) for frame in frames]


def said(reply: Answer) -> str:
    """The text of a complete answer. Raises `AssertionError` when it is not told as complete."""
    assert reply.status == 200, reply.body
    if not reply.headers["content-type"].startswith("text/event-stream"):
        text: str = reply.json["choices"][0]["message"]["content"]
        return text
    deltas = [one["choices"][0] for one in chunks(reply)]
    assert deltas[-1]["finish_reason"] == "stop"
    return "".join(one["delta"].get("content") or "" for one in deltas)


@MODES
@pytest.mark.parametrize("fault", BEFORE)
async def test_before_the_first_word_another_provider_answers(
    stage: Stage, fault: str, streamed: bool
) -> None:
    stage.first.default = BEFORE[fault]
    reply = await stage.ask(streamed=streamed)
    assert said(reply) == TEXT
    assert reply.headers["x-gatewayz-provider"] == "h2"
    assert b"secret" not in reply.body
    assert len(stage.first.requests) <= 2


@pytest.mark.parametrize("fault", SLOW_START)
async def test_a_stream_that_does_not_begin_is_another_provider_s(stage: Stage, fault: str) -> None:
    stage.first.default = SLOW_START[fault]
    reply = await stage.ask(streamed=True)
    assert said(reply) == TEXT
    assert reply.headers["x-gatewayz-provider"] == "h2"


@pytest.mark.parametrize("fault", MIDWAY)
async def test_a_stream_that_breaks_after_the_first_word_says_so(stage: Stage, fault: str) -> None:
    stage.first.default = MIDWAY[fault]
    reply = await stage.ask(streamed=True)
    *parts, last = chunks(reply)
    assert last["error"]["code"] == "stream_interrupted"
    assert all(one["choices"][0]["finish_reason"] is None for one in parts)
    assert b"secret" not in reply.body
    assert await stage.spent() == 0


@pytest.mark.parametrize("fault", MIDWAY)
async def test_a_whole_answer_that_breaks_is_another_provider_s(stage: Stage, fault: str) -> None:
    stage.first.default = MIDWAY[fault]
    reply = await stage.ask(streamed=False, max_tokens=2000)  # long ones are streamed upstream
    assert said(reply) == TEXT
    assert reply.headers["x-gatewayz-provider"] == "h2"


async def test_a_whole_body_that_is_cut_is_no_answer(stage: Stage) -> None:
    stage.first.default = cut_body(completion("half of it"))
    assert said(await stage.ask(streamed=False)) == TEXT


@MODES
@pytest.mark.parametrize("fault", CALLERS)
async def test_a_fault_of_the_caller_is_told_at_once(
    stage: Stage, fault: str, streamed: bool
) -> None:
    upstream, status, code = CALLERS[fault]
    stage.first.default = upstream
    reply = await stage.ask(streamed=streamed)
    assert (reply.status, reply.error["code"]) == (status, code)
    assert (len(stage.first.requests), len(stage.second.requests)) == (1, 0)
    assert await stage.spent() == 0


@MODES
@pytest.mark.parametrize("fault", BEFORE)
async def test_when_all_fail_there_is_one_clean_error_and_no_charge(
    stage: Stage, fault: str, streamed: bool
) -> None:
    stage.first.default = stage.second.default = BEFORE[fault]
    reply = await stage.ask(streamed=streamed)
    assert reply.status in {429, 502, 504}
    assert reply.error["code"] in {
        "all_providers_failed",
        "provider_timeout",
        "provider_rate_limited",
    }
    assert b"secret" not in reply.body
    assert len(stage.first.requests) + len(stage.second.requests) <= 6
    assert await stage.spent() == 0


@MODES
async def test_one_fault_is_tried_again_at_the_same_provider(stage: Stage, streamed: bool) -> None:
    stage.first.script(error(500))
    stage.first.default = answer(TEXT)
    reply = await stage.ask(streamed=streamed)
    assert said(reply) == TEXT
    assert reply.headers["x-gatewayz-provider"] == "h1"


@MODES
async def test_only_the_hop_that_answered_is_billed_at_its_own_price(
    stage: Stage, streamed: bool
) -> None:
    stage.first.default = error(503)
    reply = await stage.ask(streamed=streamed)
    job_id = reply.headers["x-gatewayz-job-id"]
    [charge] = await stage.account.charges(job_id)
    # 11 tokens at 3 USD and 7 at 4 USD a million.
    assert Decimal(charge["amount_usd"]) == Decimal("0.000061") == await stage.spent()
    assert charge["provider"] == "h2"
    assert [attempt["outcome"] for attempt in charge["attempts"]] == ["overloaded", "ok"]


async def test_a_stream_without_done_but_with_a_reason_is_complete(stage: Stage) -> None:
    stage.first.default = stream(words(TEXT), done=False)
    reply = await stage.ask(streamed=True)
    assert said(reply) == TEXT
    assert reply.headers["x-gatewayz-provider"] == "h1"


async def test_a_refusal_is_an_answer(stage: Stage) -> None:
    stage.first.default = stream([chunk({"content": "I"}), chunk({}, "content_filter"), "[DONE]"])
    deltas = [one["choices"][0] for one in chunks(await stage.ask(streamed=True))]
    assert deltas[-1]["finish_reason"] == "content_filter"
    assert stage.second.requests == []


@MODES
async def test_a_provider_that_flaps_loses_no_request(stage: Stage, streamed: bool) -> None:
    for _ in range(10):
        stage.first.script(error(503), answer(TEXT))
    for _ in range(20):
        assert said(await stage.ask(streamed=streamed)) == TEXT


@pytest.mark.parametrize("fault", MIDWAY)
async def test_where_the_next_provider_takes_a_prefill_it_goes_on_with_the_answer(
    stage: Stage, fault: str
) -> None:
    stage.first.script(MIDWAY[fault])
    stage.first.default = error(503)
    stage.second.default = answer("rest of it.")
    reply = await stage.ask(streamed=True, model="acme/goes-on")
    assert said(reply) == "The whole rest of it."
    prefill = stage.second.requests[0].body["messages"][-1]
    assert prefill == {"role": "assistant", "content": "The whole"}
    [charge] = await stage.account.charges(reply.headers["x-gatewayz-job-id"])
    assert (charge["provider"], await stage.spent()) == ("h2", Decimal("0.000061"))


@pytest.mark.parametrize("refusal", [400, 503])
async def test_a_fallback_that_does_not_go_on_ends_the_stream_with_an_error(
    stage: Stage, refusal: int
) -> None:
    stage.first.default = MIDWAY["cut"]
    stage.second.default = error(refusal)
    reply = await stage.ask(streamed=True, model="acme/goes-on")
    assert chunks(reply)[-1]["error"]["code"] == "stream_interrupted"
    assert len(stage.first.requests) + len(stage.second.requests) <= 6
    assert await stage.spent() == 0


async def test_a_tool_call_that_broke_off_is_not_gone_on_with(stage: Stage) -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
    stage.first.default = stream([chunk({"tool_calls": [call]})], done=False, cut=True)
    reply = await stage.ask(streamed=True, model="acme/goes-on")
    assert chunks(reply)[-1]["error"]["code"] == "stream_interrupted"
    assert stage.second.requests == []
