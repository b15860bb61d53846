"""One run of one job: lease, start, attempts, and the one terminal event."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import structlog

from domain.billing.events import ChargeRecorded
from domain.catalog.price_books import PriceBooks
from domain.errors import StoreUnavailable
from domain.event import Event, Origin, Recorded
from domain.execute import execute, fold
from domain.ids import Kind, charge_id
from domain.inference.commands import (
    CompleteJob,
    ExpireJob,
    FailJob,
    JobCommand,
    RecordFailedAttempt,
    StartJob,
    StopJob,
)
from domain.inference.decide import LeaseLost, decide, stream_of
from domain.inference.events import AttemptRecord, Failure, JobCompleted, Usage
from domain.inference.state import Job, evolve
from domain.ports.clock import Clock, Ids
from domain.ports.event_store import EventStore
from domain.ports.log import Log
from domain.ports.payloads import PayloadErased, Payloads
from domain.ports.work_queue import WorkItem
from domain.rating.rate import rate
from domain.sealed import Sealed
from workers.attempts import Answered, AttemptEngine, GaveUp, InferenceRequest

# A job that took its worker down this often is not given to another.
MAX_STARTS = 10
# How long a finished job waits to be recorded when the event store is away.
AWAY_SECONDS = 0.5
WORKER_LOST = Failure(
    code="internal_error", message="the engine could not finish this job", status_code=500
)
ERASED = Failure(
    code="payload_erased",
    message="the account's data was erased before the job ran",
    status_code=410,
)

UNREADABLE = Failure(
    code="internal_error", message="the stored input cannot be read", status_code=500
)
T = TypeVar("T")

log = structlog.get_logger(__name__)


class _UnreadableInput(Exception):
    """The input was altered, or is none that this engine wrote."""


@dataclass(frozen=True, slots=True)
class JobPorts:
    """What a run needs from outside; `prices_reached` returns once `prices` hold a position."""

    store: EventStore
    source: Log
    payloads: Payloads
    engine: AttemptEngine
    prices: PriceBooks
    prices_reached: Callable[[int], Awaitable[None]]
    clock: Clock
    ids: Ids


class JobRun:
    """From the lease to the terminal event; `stop` ends it for the customer."""

    def __init__(self, ports: JobPorts, item: WorkItem, worker_id: str, lease_ms: int) -> None:
        self._ports = ports
        self.item = item
        self._worker_id = worker_id
        self._lease_ms = lease_ms
        self.lease_id = ports.ids.new(Kind.LEASE)
        self._job: Job
        self._version = 0
        self._origin: Origin
        self._calling: asyncio.Task[Any] | None = None
        self._stop_asked = False

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

    async def run(self) -> None:
        """Runs the job. Returns when its end, or the loss of its lease, is certain."""
        try:
            # Another node may have accepted the job, and published the price that it did so at:
            # what this one knows of the log may still end before both.
            await self._ports.prices_reached(self.item.position)
            await self._load()
            if self._job.starts >= MAX_STARTS:
                await self._give_up_on_poison()
                return
            await self._start()
            command = await self._work()
        except LeaseLost:
            log.info("job.lease_lost", job_id=self.item.item_id)
            return
        await self._record_end(command)

    async def _load(self) -> None:
        history: tuple[Recorded[Event], ...]
        entry = await self._ports.source.at(self.item.position)
        if isinstance(entry, Recorded) and self.item.starts == 0:
            history = (entry,)
        else:
            history = await self._ports.store.read_stream(self.item.item_id)
        job = fold(history, evolve)
        if job is None:
            raise LeaseLost(self.item.item_id)
        self._job, self._version = job, history[-1].version
        first = history[0]
        self._origin = Origin(
            first.account_id, "system", self._worker_id, first.correlation_id, first.event_id
        )

    async def _start(self) -> None:
        until = self._ports.clock.now() + self._lease_ms
        await self._execute(StartJob(self.lease_id, self._worker_id, until))

    async def _work(self) -> JobCommand:
        """Calls providers until there is an answer or none can be had."""
        self._calling = asyncio.current_task()
        try:
            result = await self._ports.engine.run(await self._request(), self._record_failure)
            if isinstance(result, Answered):
                return await self._completion(result)
            return self._failure(result)
        except PayloadErased:
            return FailJob(self.lease_id, ERASED, ())
        except _UnreadableInput:
            log.exception("job.input_unreadable", job_id=self.item.item_id)
            return FailJob(self.lease_id, UNREADABLE, ())
        except asyncio.CancelledError:
            if not self._stop_asked:
                raise
            if self._calling is not None:
                self._calling.uncancel()
            return StopJob(self.lease_id, self._job.failed_attempts)
        finally:
            self._calling = None

    async def _request(self) -> InferenceRequest:
        accepted = self._job.accepted
        body = await self._input(accepted.input)
        return InferenceRequest(
            endpoint=accepted.endpoint,
            model=accepted.model,
            offers=accepted.offers,
            body=body,
            request_id=accepted.job_id,
            deadline_at=accepted.deadline_at,
            earlier=self._job.failed_attempts,
        )

    async def _input(self, sealed: Sealed) -> dict[str, Any]:
        try:
            plain = await self._ports.payloads.open(self.item.account_id, sealed)
            body: dict[str, Any] = msgspec.json.decode(plain)
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            raise _UnreadableInput(str(error)) from error
        return body

    async def _completion(self, answered: Answered) -> CompleteJob:
        accepted = self._job.accepted
        content = msgspec.json.encode(answered.reply.body)
        context = f"{accepted.job_id}/output"
        output = await self._once_stored(
            lambda: self._ports.payloads.seal(self.item.account_id, context, content)
        )
        charge = self._charge(answered, answered.usage)
        completed = JobCompleted(
            job_id=accepted.job_id,
            lease_id=self.lease_id,
            provider=answered.offer.provider,
            native_id=answered.offer.native_id,
            usage=answered.usage,
            raw_usage=answered.reply.raw_usage,
            finish_reason=answered.reply.finish_reason,
            output=output,
            attempts=answered.attempts,
            cost_picodollars=charge.picodollars,
        )
        return CompleteJob(completed, charge)

    def _charge(self, answered: Answered, usage: Usage) -> ChargeRecorded:
        accepted, offer = self._job.accepted, answered.offer
        priced = self._ports.prices.price(accepted.price_version, accepted.model, offer)
        rating = rate(usage, priced, accepted.hold_picodollars)
        return ChargeRecorded(
            charge_id=charge_id(accepted.job_id),
            job_id=accepted.job_id,
            model=accepted.model,
            provider=offer.provider,
            native_id=offer.native_id,
            usage=usage,
            price_version=accepted.price_version,
            lines=rating.lines,
            picodollars=rating.picodollars,
        )

    def _failure(self, result: GaveUp) -> FailJob | ExpireJob:
        if result.deadline_passed:
            return ExpireJob(self.lease_id, result.attempts)
        return FailJob(self.lease_id, result.failure, result.attempts)

    async def _record_failure(self, attempt: AttemptRecord) -> None:
        await self._execute(RecordFailedAttempt(self.lease_id, attempt))

    async def _give_up_on_poison(self) -> None:
        await self._execute(
            StartJob(self.lease_id, self._worker_id, self._ports.clock.now() + self._lease_ms)
        )
        await self._record_end(FailJob(self.lease_id, WORKER_LOST, self._job.failed_attempts))

    async def _record_end(self, command: JobCommand) -> None:
        try:
            await self._once_stored(lambda: self._execute(command))
        except LeaseLost:
            if isinstance(command, CompleteJob) and not await self._stands(command.completed):
                log.warning("job.result_dropped", job_id=self.item.item_id)
                await self._ports.payloads.discard(command.completed.output)

    async def _stands(self, completed: JobCompleted) -> bool:
        """Whether this very completion is recorded: a store that was lost while it committed can
        have kept what it was said not to.
        """
        history = await self._once_stored(lambda: self._ports.store.read_stream(self.item.item_id))
        return any(
            isinstance(recorded.event, JobCompleted) and recorded.event.output == completed.output
            for recorded in history
        )

    async def _once_stored(self, work: Callable[[], Awaitable[T]]) -> T:
        """Does `work` as soon as the store is there: an answer that was paid for is kept."""
        while True:
            try:
                return await work()
            except StoreUnavailable as error:
                log.warning("job.end_waits", job_id=self.item.item_id, error=str(error))
                await asyncio.sleep(AWAY_SECONDS)

    async def _execute(self, command: JobCommand) -> None:
        recorded = await execute(
            self._ports.store,
            self.item.item_id,
            command,
            self._origin,
            decide=decide,
            evolve=evolve,
            stream_of=stream_of,
            known=(self._job, self._version),
        )
        for entry in recorded:
            if entry.stream == self.item.item_id:
                self._job, self._version = evolve(self._job, entry.event), entry.version
                self._origin = self._origin.caused_by(entry)
