"""One run of one job under a lease: its attempts, and the one terminal event."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import structlog

from domain.billing.events import ChargeRecorded
from domain.catalog.price_books import PriceBooks
from domain.errors import StoreUnavailable
from domain.event import Origin
from domain.execute import execute, fold
from domain.ids import Kind, charge_id
from domain.inference.commands import (
    CompleteJob,
    ExpireJob,
    FailJob,
    JobCommand,
    RecordFailedAttempt,
    StopJob,
)
from domain.inference.decide import LeaseLost, decide, stream_of
from domain.inference.events import AttemptRecord, Failure, JobCompleted, OfferRef, Usage
from domain.inference.serving import models_by_offer, offers_of, served
from domain.inference.state import Job, evolve
from domain.inference.view import head_of
from domain.ports.answer_streams import AnswerStreams
from domain.ports.clock import Clock, Ids
from domain.ports.event_store import EventStore
from domain.ports.log import Log
from domain.ports.payloads import PayloadErased, Payloads
from domain.ports.tokens import TokenCounter
from domain.rating.counting import LIKELY, counted_usage
from domain.rating.estimate import Told
from domain.rating.rate import own_key_rating, rate
from domain.sealed import Sealed
from workers.answer_deltas import OnDelta
from workers.attempts import Answered, AttemptEngine, GaveUp, InferenceRequest

# How long a finished job waits to be recorded when the event store is away.
AWAY_SECONDS = 0.5
ERASED = Failure(
    code="payload_erased",
    message="the account's data was erased before the job ended",
    status_code=410,
)
T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JobPorts:
    """What a run needs from outside; `reached` returns once the prices and the providers' keys hold
    a position.

    Without `streams` no events are buffered, and readers get an answer once it is whole.
    """

    store: EventStore
    source: Log
    payloads: Payloads
    engine: AttemptEngine
    prices: PriceBooks
    reached: Callable[[int], Awaitable[None]]
    clock: Clock
    ids: Ids
    streams: AnswerStreams | None = None
    tokens: TokenCounter = LIKELY


class Run:
    """A job that is worked on here; `stop` ends it for the customer."""

    def __init__(self, ports: JobPorts, job_id: str, worker_id: str, lease_ms: int) -> None:
        self._ports = ports
        self.job_id = job_id
        self._worker_id = worker_id
        self._lease_ms = lease_ms
        self.lease_id = ports.ids.new(Kind.LEASE)
        self._job: Job
        self._version = 0
        self._origin: Origin
        self._accepted_at: int
        self._calling: asyncio.Task[Any] | None = None
        self._stop_asked = False
        # What the provider had counted when the call was stopped.
        self._reported: Usage | None = None

    def stop(self) -> None:
        """Ends the run because the customer asked; the upstream connection is closed.

        An answer that is complete already is recorded: only the call can be stopped.
        """
        self._stop_asked = True
        if self._calling is not None:
            self._calling.cancel()

    @property
    def is_started(self) -> bool:
        """Whether the lease is recorded, and so needs renewal."""
        return self._version > 0 and self._job.lease_id == self.lease_id

    async def _answer(self, body: dict[str, Any], on_delta: OnDelta | None = None) -> JobCommand:
        """Calls providers until there is an answer or none can be had."""
        self._calling = asyncio.current_task()
        try:
            if self._stop_asked:
                return await self._stopped()
            request = self._request(body)
            result = await self._ports.engine.run(request, self._record_failure, on_delta)
            self._calling = None  # what follows is not stopped any more
            if isinstance(result, Answered):
                self._answered(result)
                return await self._completion(result)
            return self._failure(result)
        except PayloadErased:
            return FailJob(self.lease_id, ERASED, ())
        except asyncio.CancelledError:
            if not self._stop_asked:
                raise
            if self._calling is not None:
                self._calling.uncancel()
            self._calling = None  # a second request to stop is met already
            return await self._stopped()
        finally:
            self._calling = None

    def _answered(self, result: Answered) -> None:
        """Takes note of a complete answer before it is recorded."""

    async def _stopped(self) -> JobCommand:
        return StopJob(self.lease_id, self._job.failed_attempts)

    async def _stopped_after(
        self, offer: OfferRef | None, body: Mapping[str, Any], told: Told
    ) -> JobCommand:
        """The same for an answer of which `told` was shown, which is what is charged."""
        attempts = self._job.failed_attempts
        if offer is None:
            return StopJob(self.lease_id, attempts)
        model = served(self._job.accepted, offer).model
        usage = await counted_usage(self._ports.tokens, model, body, told, self._reported)
        return StopJob(self.lease_id, attempts, self._charge(offer, usage))

    def _was_cut(self, reported: Usage) -> None:
        self._reported = reported

    def _request(self, body: dict[str, Any]) -> InferenceRequest:
        accepted = self._job.accepted
        return InferenceRequest(
            endpoint=accepted.endpoint,
            head=head_of(accepted, self._accepted_at, body),
            offers=offers_of(accepted),
            served_models=models_by_offer(accepted),
            body=body,
            request_id=accepted.job_id,
            max_output_tokens=accepted.max_output_tokens,
            prefill=accepted.prefill,
            deadline_at=accepted.deadline_at,
            earlier=self._job.failed_attempts,
            on_cut=self._was_cut,
            tokens=self._ports.tokens,
        )

    async def _completion(self, answered: Answered) -> CompleteJob:
        accepted = self._job.accepted
        charge = self._charge(answered.offer, answered.usage)
        completed = JobCompleted(
            job_id=accepted.job_id,
            lease_id=self.lease_id,
            provider=answered.offer.provider,
            native_id=answered.offer.native_id,
            usage=answered.usage,
            raw_usage=answered.reply.raw_usage,
            finish_reason=answered.reply.finish_reason,
            output=await self._kept(answered.reply.body),
            attempts=answered.attempts,
            cost_picodollars=charge.picodollars,
            dropped=answered.reply.dropped,
            model=None if charge.model == accepted.model else charge.model,
        )
        return CompleteJob(completed, charge)

    async def _kept(self, body: dict[str, Any]) -> Sealed | None:
        """The answer, sealed, where the job's result is to be read later."""
        if not self._job.accepted.store:
            return None
        content = msgspec.json.encode(body)
        context = f"{self.job_id}/output"
        return await self._once_stored(
            lambda: self._ports.payloads.seal(self._origin.account_id, context, content)
        )

    def _charge(self, offer: OfferRef, usage: Usage) -> ChargeRecorded:
        accepted = self._job.accepted
        model = served(accepted, offer)
        if offer.own_key is None:
            priced = self._ports.prices.price(model.price_version, model.model, offer)
            rating = rate(usage, priced, accepted.hold_picodollars)
        else:
            rating = own_key_rating(usage)
        return ChargeRecorded(
            charge_id=charge_id(accepted.job_id),
            job_id=accepted.job_id,
            model=model.model,
            provider=offer.provider,
            native_id=offer.native_id,
            usage=usage,
            price_version=model.price_version,
            lines=rating.lines,
            picodollars=rating.picodollars,
            own_key=offer.own_key,
        )

    def _failure(self, result: GaveUp) -> FailJob | ExpireJob:
        if result.deadline_passed:
            return ExpireJob(self.lease_id, result.attempts)
        return FailJob(self.lease_id, result.failure, result.attempts)

    async def _record_failure(self, attempt: AttemptRecord) -> None:
        await self._once_stored(lambda: self._execute(RecordFailedAttempt(self.lease_id, attempt)))

    async def _record_end(self, command: JobCommand) -> None:
        try:
            await self._once_stored(lambda: self._execute(command))
        except LeaseLost:
            if isinstance(command, CompleteJob) and not await self._stands(command.completed):
                log.warning("job.result_dropped", job_id=self.job_id)
                await self._ports.payloads.discard(command.completed.output)

    async def _stands(self, completed: JobCompleted) -> bool:
        """Whether this very completion is recorded, and so the end of the job: a store that was
        lost while it committed can have kept what it was said not to.
        """
        history = await self._once_stored(lambda: self._ports.store.read_stream(self.job_id))
        job = fold(history, evolve)
        ended = None if job is None else job.ended
        if not isinstance(ended, JobCompleted) or ended.lease_id != completed.lease_id:
            return False
        self._job = self._job._replace(ended=ended)
        return True

    async def _once_stored(self, work: Callable[[], Awaitable[T]]) -> T:
        """Does `work` as soon as the store is there: an answer that was paid for is kept."""
        while True:
            try:
                return await work()
            except StoreUnavailable as error:
                log.warning("job.end_waits", job_id=self.job_id, error=str(error))
                await asyncio.sleep(AWAY_SECONDS)

    async def _execute(self, command: JobCommand) -> None:
        recorded = await execute(
            self._ports.store,
            self.job_id,
            command,
            self._origin,
            decide=decide,
            evolve=evolve,
            stream_of=stream_of,
            known=(self._job, self._version) if self._version else (None, 0),
        )
        own = [entry for entry in recorded if entry.stream == self.job_id]
        for entry in own:
            self._job = evolve(self._job if self._version else None, entry.event)
            self._version = entry.version
        if own:
            self._origin = self._origin.caused_by(own[-1])
