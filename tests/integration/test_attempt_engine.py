"""The attempt engine over real connections: a complete answer, or a bounded and clean error."""

import asyncio
import random
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from adapters.providers.http import HttpProvider
from adapters.providers.openai_chat import OpenAIChatWire
from adapters.providers.session import HttpSession
from adapters.system.clock import SystemClock
from adapters.tokens.counting import LocalTokenCounter, Tokenizer
from adapters.tokens.vocabularies import Shelf, Vocabulary
from domain.dialects.surface import Delta, Head
from domain.inference.events import AttemptRecord, OfferRef
from domain.ports.clock import Clock
from domain.ports.provider import CallTimeouts, Provider
from domain.routing.policy import AttemptLimits
from tests.support.manual_clock import ManualClock
from tests.support.scripted_provider import (
    Reply,
    ScriptedProvider,
    answer,
    completion,
    cut_body,
    embedding,
    error,
    hang_up,
    silence,
    stream,
    whole,
    words,
)
from workers.attempts import Answered, AttemptEngine, GaveUp, InferenceRequest

TEXT = "The whole answer of eight words stands here."
TIMEOUTS = CallTimeouts(connect=2, first_byte=0.2, chunk=0.2, total=2)
LIMITS = AttemptLimits()
FIRST = OfferRef(provider="h1", native_id="alpha")
SECOND = OfferRef(provider="h2", native_id="alpha-v2")
REQUEST = InferenceRequest(
    endpoint="/v1/chat/completions",
    head=Head("chatcmpl-1", "acme/alpha", 1_700_000_000),
    offers=(FIRST, SECOND),
    body={"model": "alpha", "messages": [{"role": "user", "content": "Say it."}]},
    request_id="job_1",
)

FAULTS: dict[str, Reply] = {
    "hang-up": hang_up(),
    "silence": silence(),
    "late headers": answer(delay=30),
    "late first byte": stream(words(TEXT), delay=30),
    "stalled stream": stream(words(TEXT)[:4], done=False, hang=True),
    "cut stream": stream(words(TEXT)[:4], done=False, cut=True),
    "ended stream": stream(words(TEXT)[:4], done=False),
    "cut body": cut_body(completion(TEXT)),
    "broken chunk": stream([*words(TEXT)[:4], "{oops", *words(TEXT)[4:]]),
    "error in the stream": stream([*words(TEXT)[:4], '{"error": {"message": "secret text"}}']),
    "html": whole(b"<html>secret text</html>"),
    "error in a 200": whole({"error": {"message": "secret text", "code": 500}}),
    "no choices": whole(completion(choices=[])),
    "no message": whole(completion(choices=[{"index": 0, "finish_reason": "stop"}])),
    "finish error": whole(
        completion(choices=[{"index": 0, "message": {"content": ""}, "finish_reason": "error"}])
    ),
    "401": error(401),
    "402": error(402),
    "404": error(404),
    "408": error(408),
    "429": error(429),
    "429 soon": error(429, retry_after="1"),
    "429 late": error(429, retry_after="3600"),
    "429 quota": error(429, code="insufficient_quota"),
    "500": error(500),
    "503": error(503),
    "529": error(529),
}
FINAL: dict[str, tuple[Reply, str, int]] = {
    "400": (error(400), "invalid_request", 400),
    "413": (error(413), "request_too_large", 413),
    "422": (error(422), "invalid_request", 400),
    "context": (error(400, code="context_length_exceeded"), "context_length_exceeded", 400),
    "refusal": (error(403, code="content_filter"), "content_refused", 400),
}
CODES = {"provider_error", "all_providers_failed", "provider_timeout", "provider_rate_limited"}


@dataclass
class Stage:
    """Two upstreams behind one engine, and what the engine reported."""

    first: ScriptedProvider
    second: ScriptedProvider
    session: HttpSession
    clock: ManualClock = field(default_factory=ManualClock)
    observed: list[AttemptRecord] = field(default_factory=list)
    reported: list[AttemptRecord] = field(default_factory=list)

    def engine(self, clock: Clock | None = None, **changes: Any) -> AttemptEngine:
        providers: dict[str, Provider] = {
            name: HttpProvider(self.session, OpenAIChatWire(upstream.base_url, "key"))
            for name, upstream in (("h1", self.first), ("h2", self.second))
        }
        return AttemptEngine(
            changes.pop("providers", providers),
            clock or self.clock,
            changes.pop("limits", LIMITS),
            TIMEOUTS,
            self.observed.append,
            sleep=self.clock.sleep,
            random=lambda: 0.5,
            **changes,
        )

    async def run(self, request: InferenceRequest = REQUEST, **changes: Any) -> Answered | GaveUp:
        return await self.engine(**changes).run(request, self.report)

    async def report(self, record: AttemptRecord) -> None:
        self.reported.append(record)

    @property
    def calls(self) -> int:
        return len(self.first.requests) + len(self.second.requests)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    session = HttpSession()
    async with ScriptedProvider() as first, ScriptedProvider() as second:
        first.default = second.default = answer(TEXT)
        yield Stage(first, second, session)
        await session.close()


def answered(outcome: Answered | GaveUp) -> Answered:
    assert isinstance(outcome, Answered), outcome
    assert outcome.reply.body["choices"][0]["message"]["content"] == TEXT
    return outcome


def gave_up(outcome: Answered | GaveUp) -> GaveUp:
    assert isinstance(outcome, GaveUp), outcome
    return outcome


async def test_the_first_offer_answers(stage: Stage) -> None:
    outcome = answered(await stage.run())
    assert (outcome.offer, stage.calls) == (FIRST, 1)


async def test_the_time_that_a_client_takes_is_not_its_providers(stage: Stage) -> None:
    room = asyncio.get_running_loop().create_future()

    def take_in() -> None:
        stage.clock.pass_seconds(60)
        room.set_result(None)

    def slow(_offer: OfferRef, delta: Delta) -> asyncio.Future[None] | None:
        given.append(delta)
        if len(given) == 3:
            asyncio.get_running_loop().call_soon(take_in)
        return room if len(given) >= 3 else None

    given: list[Delta] = []
    stage.first.script(stream(words(TEXT)))
    outcome = answered(await stage.engine().run(REQUEST, stage.report, slow))
    assert stage.clock.monotonic() - ManualClock().monotonic() == 60
    assert [record.duration_ms for record in outcome.attempts] == [0]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_one_fault_is_overcome_by_a_complete_answer(stage: Stage, fault: Reply) -> None:
    stage.first.script(fault)
    answered(await stage.run())
    assert stage.calls == 2


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_an_offer_that_stays_faulty_is_left_for_the_next(stage: Stage, fault: Reply) -> None:
    stage.first.default = fault
    assert answered(await stage.run()).offer == SECOND
    assert len(stage.first.requests) <= 2


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_fault_everywhere_ends_in_a_bounded_clean_error(stage: Stage, fault: Reply) -> None:
    stage.first.default = stage.second.default = fault
    outcome = gave_up(await stage.run())
    assert outcome.failure.code in CODES
    assert "secret" not in outcome.failure.message
    assert len(outcome.attempts) == stage.calls <= LIMITS.max_attempts


@pytest.mark.parametrize(("fault", "code", "status"), FINAL.values(), ids=FINAL)
async def test_the_callers_fault_is_returned_after_one_call(
    stage: Stage, fault: Reply, code: str, status: int
) -> None:
    stage.first.default = fault
    outcome = gave_up(await stage.run())
    assert (outcome.failure.code, outcome.failure.status_code, stage.calls) == (code, status, 1)


@pytest.mark.parametrize("seed", range(12))
async def test_any_course_of_faults_ends_whole_or_bounded(stage: Stage, seed: int) -> None:
    drawn = random.Random(seed)  # noqa: S311 (a course that replays)
    quick = [fault for name, fault in FAULTS.items() if "late" not in name and name != "silence"]
    stage.first.script(*drawn.choices(quick, k=4))
    stage.second.script(*drawn.choices(quick, k=4))
    outcome = await stage.run()
    assert stage.calls == len(outcome.attempts) <= LIMITS.max_attempts
    if isinstance(outcome, Answered):
        answered(outcome)


async def test_a_silent_provider_is_asked_once(stage: Stage) -> None:
    stage.first.default = silence()
    outcome = gave_up(await stage.run(replace(REQUEST, offers=(FIRST,))))
    assert (outcome.failure.code, len(stage.first.requests)) == ("provider_timeout", 1)


async def test_a_short_retry_after_is_waited_for(stage: Stage) -> None:
    stage.first.script(error(429, retry_after="3"))
    answered(await stage.run(replace(REQUEST, offers=(FIRST,))))
    assert stage.clock.slept[0] >= 3


async def test_failed_attempts_are_reported_when_another_follows(stage: Stage) -> None:
    stage.first.script(error(500), error(500))
    outcome = answered(await stage.run())
    assert tuple(stage.reported) == outcome.attempts[:2]


async def test_the_last_failed_attempt_is_left_to_the_outcome(stage: Stage) -> None:
    stage.first.default = stage.second.default = error(401)
    outcome = gave_up(await stage.run())
    assert tuple(stage.reported) == outcome.attempts[:-1]


async def test_every_attempt_is_observed_the_answered_one_too(stage: Stage) -> None:
    stage.first.script(error(503))
    outcome = answered(await stage.run())
    assert tuple(stage.observed) == outcome.attempts
    assert [(a.provider, a.outcome, a.status_code) for a in stage.observed] == [
        ("h1", "overloaded", 503),
        ("h2", "ok", None),
    ]


async def test_a_call_gets_no_more_time_than_the_deadline_leaves(stage: Stage) -> None:
    clock = SystemClock()
    stage.first.default = stage.second.default = stream(words(TEXT) * 50, gap=0.05)
    late = replace(REQUEST, deadline_at=clock.now() + 120)
    outcome = gave_up(await stage.run(late, clock=clock))
    assert outcome.deadline_passed
    assert [attempt.outcome for attempt in outcome.attempts] == ["timeout_total"]


async def test_a_deadline_in_a_pause_ends_the_run_there(stage: Stage) -> None:
    stage.first.script(error(429, retry_after="5"))
    pressed = replace(REQUEST, offers=(FIRST,), deadline_at=stage.clock.now() + 2000)
    outcome = gave_up(await stage.run(pressed))
    assert outcome.deadline_passed
    assert (stage.calls, stage.clock.slept) == (1, [2.0])


async def test_nothing_is_called_after_the_deadline(stage: Stage) -> None:
    outcome = gave_up(await stage.run(replace(REQUEST, deadline_at=stage.clock.now())))
    assert (outcome.deadline_passed, stage.calls) == (True, 0)


async def test_attempts_of_earlier_leases_count(stage: Stage) -> None:
    silent = AttemptRecord(
        provider="h1", native_id="alpha", started_at=1, duration_ms=1, outcome="timeout_first_byte"
    )
    outcome = answered(await stage.run(replace(REQUEST, earlier=(silent,))))
    assert outcome.offer == SECOND
    assert (outcome.attempts[0], stage.reported) == (silent, [])


async def test_a_provider_that_is_gone_counts_as_a_failed_offer(stage: Stage) -> None:
    gone = OfferRef(provider="gone", native_id="alpha")
    outcome = answered(await stage.run(replace(REQUEST, offers=(gone, SECOND))))
    assert [attempt.outcome for attempt in outcome.attempts] == ["not_found", "ok"]


async def test_the_answer_bears_our_model_and_no_provider_fields(stage: Stage) -> None:
    body = answered(await stage.run()).reply.body
    assert body["model"] == "acme/alpha"
    assert not {"system_fingerprint", "x_upstream"} & set(body)


async def test_the_usage_shown_is_the_usage_charged(stage: Stage) -> None:
    stage.first.script(whole(completion(TEXT, usage={"prompt_tokens": 3, "cost": 1})))
    outcome = answered(await stage.run())
    assert outcome.usage.source == "provider"
    assert outcome.reply.body["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 0,
        "total_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


async def test_usage_that_is_notreported_is_counted_where_the_tokeniser_is_here(
    stage: Stage, tmp_path: Path
) -> None:
    content = b"\n".join(b64encode(bytes([one])) + b" %d" % one for one in range(256))
    vocabulary = Vocabulary("bytes", sha256(content).hexdigest(), r"\S+|\s+")
    (tmp_path / vocabulary.file_name).write_bytes(content)
    tokenizer = Tokenizer("acme/*", vocabulary, is_own=True)
    tokens = LocalTokenCounter([tokenizer], Shelf(tmp_path))
    stage.first.script(whole(completion(TEXT, usage=None)))
    outcome = answered(await stage.run(replace(REQUEST, tokens=tokens)))
    assert (outcome.usage.source, outcome.usage.output_tokens) == ("tokenizer", len(TEXT))


async def test_usage_that_is_notreported_is_an_estimate_and_says_so(stage: Stage) -> None:
    stage.first.script(whole(completion(TEXT, usage=None)))
    outcome = answered(await stage.run())
    assert (outcome.usage.source, outcome.usage.output_tokens) == ("estimate", 9)


@pytest.mark.parametrize(("limit", "streamed"), [(None, True), (4000, True), (200, False)])
async def test_a_long_answer_is_streamed_from_the_provider(
    stage: Stage, limit: int | None, streamed: bool
) -> None:
    answered(await stage.run(replace(REQUEST, body={**REQUEST.body, "max_tokens": limit})))
    assert stage.first.requests[0].body.get("stream", False) is streamed


async def test_embeddings_are_answered_whole(stage: Stage) -> None:
    request = replace(REQUEST, endpoint="/v1/embeddings", body={"input": ["a", "b"]})
    outcome = await stage.run(request)
    assert isinstance(outcome, Answered)
    assert len(outcome.reply.body["data"]) == 2


async def test_a_missing_vector_fails_the_attempt(stage: Stage) -> None:
    stage.first.script(whole(embedding(1)))
    request = replace(REQUEST, endpoint="/v1/embeddings", body={"input": ["a", "b"]})
    outcome = await stage.run(request)
    assert [attempt.outcome for attempt in outcome.attempts] == ["malformed", "ok"]


async def test_cancelling_a_run_hangs_up_on_the_provider(stage: Stage) -> None:
    stage.first.default = stream(words(TEXT), gap=0.15)
    task = asyncio.create_task(stage.run())
    while not stage.first.requests:
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(stage.first.requests[0].finished.wait(), 5)
    assert stage.first.requests[0].disconnected
    assert not stage.second.requests
