"""The attempt engine: one loop that calls offers until one answers or the policy gives up."""

import asyncio
import random as randomness
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field, replace
from math import inf
from typing import Any, cast

import structlog

from domain.dialects.surface import Head
from domain.dialects.surfaces import SURFACES
from domain.errors import StoreUnavailable
from domain.inference.events import AttemptRecord, Endpoint, Failure, OfferRef, Usage
from domain.inference.view import EXPIRED
from domain.ports.attempt_health import AttemptHealth, NoHealth, Speed
from domain.ports.clock import Clock
from domain.ports.payloads import PayloadErased
from domain.ports.provider import (
    CallTimeouts,
    FailureKind,
    Provider,
    ProviderCall,
    ProviderFailure,
    ProviderReply,
)
from domain.ports.tokens import TokenCounter
from domain.rating.counting import LIKELY, counted_usage
from domain.routing.failures import INTERRUPTED, of_own_key
from domain.routing.policy import AttemptLimits, FailedAttempt, GiveUp, next_step
from domain.value import value
from workers.answer_deltas import AnswerDeltas, OnDelta
from workers.own_providers import OWN_KEYS

# With less time than this left, a deadline counts as passed: no call can end in it.
SHORTEST_CALL_SECONDS = 0.01
# Calls that may bring more output tokens are streamed from the provider: a whole answer that long
# could take longer than the first-byte timeout, and a silent provider must still be noticed.
STREAM_ABOVE_TOKENS = 1024
NO_HEALTH = NoHealth()

_Answer = tuple[ProviderReply, Usage]
OnFailed = Callable[[AttemptRecord], Awaitable[None]]
# What the caller may say about the length of the answer, in the words of the several wires.
_LIMIT_FIELDS = ("max_completion_tokens", "max_tokens", "max_output_tokens")

log = structlog.get_logger(__name__)


@value(kw_only=True)
class InferenceRequest:
    """One job's call: the caller's body and the offers that may serve it, first choice first.

    `head` is what the answer says about itself; `served_models` names the models of offers that
    serve another than its. With `prefill` an offer can go on from half an answer. `earlier` holds
    the failed attempts of leases that ran out; they count against the limits. `deadline_at` is Unix
    milliseconds. `on_cut` is as in `ProviderCall`; `tokens` counts what the provider does not.
    """

    endpoint: Endpoint
    head: Head
    offers: tuple[OfferRef, ...]
    body: dict[str, Any]
    request_id: str
    served_models: Mapping[OfferRef, str] = field(default_factory=dict)
    max_output_tokens: int | None = None
    prefill: bool = False
    deadline_at: int | None = None
    earlier: tuple[AttemptRecord, ...] = ()
    on_cut: Callable[[Usage], None] | None = None
    tokens: TokenCounter = LIKELY


@value()
class Answered:
    """A complete answer; `reply.body` is the customer's, `attempts` are all of the job's."""

    reply: ProviderReply
    offer: OfferRef
    usage: Usage
    attempts: tuple[AttemptRecord, ...]


@value()
class GaveUp:
    """No answer; `deadline_passed` says that time ran out rather than offers."""

    failure: Failure
    attempts: tuple[AttemptRecord, ...]
    deadline_passed: bool


class AttemptEngine:
    """Calls providers under the attempt policy; holds no state between runs.

    `observe` gets every attempt, answered ones too; `health` says which offers to leave alone, and
    is told how fast an answer came before its attempt is observed. The provider `OWN_KEYS` makes
    the calls with customers' own keys.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        clock: Clock,
        limits: AttemptLimits,
        timeouts: CallTimeouts,
        observe: Callable[[AttemptRecord], None],
        *,
        health: AttemptHealth = NO_HEALTH,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        self._providers = providers
        self._clock = clock
        self._limits = limits
        self._timeouts = timeouts
        self._observe = observe
        self._health = health
        self._sleep = sleep
        self._random = random

    async def run(
        self, request: InferenceRequest, on_failed: OnFailed, on_delta: OnDelta | None = None
    ) -> Answered | GaveUp:
        """The answer, or why there is none.

        `on_failed` is awaited with each failed attempt that another one follows, before it.
        With `on_delta` the answer is streamed: it gets the events of an attempt from the first that
        holds some of the answer on, with what came before it. What was shown cannot be taken back:
        another attempt follows then only where it can go on from there. Cancelling the task ends
        the call in flight and closes its connection.
        """
        asked, attempts, history = request, request.earlier, _history(request)
        stream = self._stream(request, on_delta)
        while True:
            avoided = self._health.avoided(request.offers)
            step = next_step(history, len(request.offers), self._limits, self._random(), avoided)
            if self._is_over(request):
                return GaveUp(EXPIRED, attempts, deadline_passed=True)
            if isinstance(step, GiveUp):
                return GaveUp(_told(step.failure, stream), attempts, deadline_passed=False)
            if len(attempts) > len(request.earlier):
                await on_failed(attempts[-1])
            if step.delay_seconds and not await self._pause(step.delay_seconds, request):
                return GaveUp(EXPIRED, attempts, deadline_passed=True)
            offer = request.offers[step.offer_index]
            outcome, record = await self._attempt(request, offer, stream)
            attempts = (*attempts, record)
            if not isinstance(outcome, ProviderFailure):
                reply, usage = outcome
                return Answered(reply, offer, usage, attempts)
            if stream is not None and stream.has_begun:
                rest = stream.going_on(asked.body) if asked.prefill else None
                if rest is None:
                    return GaveUp(INTERRUPTED, attempts, deadline_passed=False)
                request = replace(asked, body=rest)
            failed = FailedAttempt(step.offer_index, outcome.kind, outcome.retry_after)
            history = (*history, failed)

    def _stream(self, request: InferenceRequest, on_delta: OnDelta | None) -> AnswerDeltas | None:
        if on_delta is None:
            return None
        surface = SURFACES[request.endpoint]
        return AnswerDeltas(surface, on_delta, self._clock, prefill=request.prefill)

    async def _attempt(
        self, request: InferenceRequest, offer: OfferRef, stream: AnswerDeltas | None
    ) -> tuple[_Answer | ProviderFailure, AttemptRecord]:
        started_at, started = self._clock.now(), self._clock.monotonic()
        self._health.begins(offer)
        try:
            outcome = await self._outcome(request, offer, stream)
        except BaseException:
            self._health.abandoned(offer)
            raise
        failure = outcome if isinstance(outcome, ProviderFailure) else None
        held_up = 0.0 if stream is None else stream.held_up_seconds
        record = AttemptRecord(
            provider=offer.provider,
            native_id=offer.native_id,
            started_at=started_at,
            # A slow client says nothing of how fast its provider is.
            duration_ms=_ms(self._clock.monotonic() - started - held_up),
            outcome=failure.kind if failure else "ok",
            status_code=failure.status_code if failure else None,
            own_key=offer.own_key,
        )
        if not isinstance(outcome, ProviderFailure):
            begun_at = None if stream is None else stream.begun_at
            first_token_ms = None if begun_at is None else _ms(begun_at - started)
            self._health.measured(offer, Speed(first_token_ms, outcome[1].output_tokens))
        if record.outcome == "timeout_total" and self._is_over(request):
            self._health.abandoned(offer)  # the caller's own haste says nothing of the offer
        else:
            self._observe(record)
        return outcome, record

    async def _outcome(
        self, request: InferenceRequest, offer: OfferRef, stream: AnswerDeltas | None
    ) -> _Answer | ProviderFailure:
        try:
            return await self._call(request, offer, stream)
        except ProviderFailure as failure:
            return failure if offer.own_key is None else of_own_key(failure)
        except (PayloadErased, StoreUnavailable):
            raise
        except Exception:
            # An answer that nobody foresaw is its provider's fault, and another may do better.
            log.exception("attempt.crashed", job_id=request.request_id, provider=offer.provider)
            return ProviderFailure("malformed", "the provider's reply cannot be read")

    async def _call(
        self, request: InferenceRequest, offer: OfferRef, stream: AnswerDeltas | None
    ) -> _Answer:
        own_key = offer.own_key
        provider = self._providers.get(offer.provider if own_key is None else OWN_KEYS)
        if provider is None:
            raise ProviderFailure("not_found", "the provider is not configured any more")
        reply = await provider.call(
            ProviderCall(
                endpoint=request.endpoint,
                native_id=offer.native_id,
                body=request.body,
                stream=stream is not None or self._is_streamed(request),
                timeouts=self._timeouts_of(request),
                request_id=request.request_id,
                max_output_tokens=request.max_output_tokens,
                own_key=own_key,
                on_cut=request.on_cut,
            ),
            None if stream is None else stream.attempt(offer),
        )
        surface = SURFACES[request.endpoint]
        if not surface.is_whole(request.body, reply.body):
            raise ProviderFailure("malformed", "the provider's reply is no complete answer")
        model = request.served_models.get(offer, request.head.model)
        usage = reply.usage or await counted_usage(
            request.tokens, model, request.body, surface.put_out(reply.body)
        )
        whole = reply.body if stream is None else stream.whole(reply.body)
        head = request.head if model == request.head.model else replace(request.head, model=model)
        answer = surface.finished(whole, head, usage)
        if stream is not None:
            stream.finish()
        told = ProviderReply(
            answer, reply.usage, reply.raw_usage, reply.finish_reason, reply.dropped
        )
        return told, usage

    async def _pause(self, seconds: float, request: InferenceRequest) -> bool:
        """Waits, but not beyond the deadline; False when it has passed."""
        await self._sleep(min(seconds, self._seconds_left(request)))
        return not self._is_over(request)

    def _is_streamed(self, request: InferenceRequest) -> bool:
        if request.endpoint == "/v1/embeddings":
            return False
        asked = next(filter(None, map(request.body.get, _LIMIT_FIELDS)), None)
        return not isinstance(asked, int) or asked > STREAM_ABOVE_TOKENS

    def _timeouts_of(self, request: InferenceRequest) -> CallTimeouts:
        left = self._seconds_left(request)
        if left >= self._timeouts.total:
            return self._timeouts
        return replace(self._timeouts, total=left)

    def _seconds_left(self, request: InferenceRequest) -> float:
        if request.deadline_at is None:
            return inf
        return (request.deadline_at - self._clock.now()) / 1000

    def _is_over(self, request: InferenceRequest) -> bool:
        return self._seconds_left(request) < SHORTEST_CALL_SECONDS


def _told(failure: Failure, stream: AnswerDeltas | None) -> Failure:
    """What the customer is told: after some of the answer, that it broke off."""
    return INTERRUPTED if stream is not None and stream.has_begun else failure


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _history(request: InferenceRequest) -> tuple[FailedAttempt, ...]:
    """The failures of earlier leases as the policy sees them."""
    if not request.earlier:
        return ()
    places = {_place(offer): index for index, offer in enumerate(request.offers)}
    return tuple(
        FailedAttempt(places[_place(record)], cast("FailureKind", record.outcome))
        for record in request.earlier
    )


def _place(called: OfferRef | AttemptRecord) -> tuple[str, str, str | None]:
    return called.provider, called.native_id, called.own_key
