"""One run of one job from the queue: lease, start, attempts, and the one terminal event."""

import asyncio
from typing import Any

import msgspec
import structlog

from domain.dialects.surface import Delta
from domain.dialects.surfaces import SURFACES
from domain.event import Event, Origin, Recorded
from domain.execute import fold
from domain.inference.commands import CompleteJob, FailJob, JobCommand, StartJob
from domain.inference.decide import LeaseLost
from domain.inference.events import Failure, OfferRef
from domain.inference.state import evolve
from domain.inference.view import head_of
from domain.ports.answer_streams import AnswerStreams
from domain.ports.payloads import PayloadErased
from domain.ports.work_queue import WorkItem
from domain.rating.estimate import Growing
from domain.sealed import Sealed
from workers.answer_stream import AnswerStream
from workers.run import ERASED, JobPorts, Run

# A job that took its worker down this often is not given to another.
MAX_STARTS = 10
# How long the end of a job waits for the last events of its answer to be buffered.
STREAM_SECONDS = 2.0
WORKER_LOST = Failure(
    code="internal_error", message="the engine could not finish this job", status_code=500
)
UNREADABLE = Failure(
    code="internal_error", message="the stored input cannot be read", status_code=500
)

log = structlog.get_logger(__name__)


class _UnreadableInput(Exception):
    """The input was altered, or is none that this engine wrote."""


class JobRun(Run):
    """From the lease to the terminal event."""

    def __init__(self, ports: JobPorts, item: WorkItem, worker_id: str, lease_ms: int) -> None:
        super().__init__(ports, item.item_id, worker_id, lease_ms)
        self.item = item
        # What was told of the answer so far, where its events are buffered.
        self._body: dict[str, Any] = {}
        self._told_from: OfferRef | None = None
        self._told = Growing()

    async def run(self) -> None:
        """Runs the job. Returns when its end, or the loss of its lease, is certain."""
        try:
            # Another node may have accepted the job, and published the price that it did so at:
            # what this one knows of the log may still end before both.
            await self._ports.reached(self.item.position)
            await self._load()
            if self._job.starts >= MAX_STARTS:
                await self._give_up_on_poison()
                return
            await self._start()
            command = await self._work()
        except LeaseLost:
            log.info("job.lease_lost", job_id=self.job_id)
            return
        await self._record_end(command)

    async def _load(self) -> None:
        history: tuple[Recorded[Event], ...]
        entry = await self._ports.source.at(self.item.position)
        if isinstance(entry, Recorded) and self.item.starts == 0:
            history = (entry,)
        else:
            history = await self._ports.store.read_stream(self.job_id)
        job = fold(history, evolve)
        if job is None:
            raise LeaseLost(self.job_id)
        self._job, self._version = job, history[-1].version
        first = history[0]
        self._accepted_at = first.recorded_at
        self._origin = Origin(
            first.account_id, "system", self._worker_id, first.correlation_id, first.event_id
        )

    async def _start(self) -> None:
        until = self._ports.clock.now() + self._lease_ms
        await self._execute(StartJob(self.lease_id, self._worker_id, until))

    async def _work(self) -> JobCommand:
        try:
            body = await self._input(self._job.accepted.input)
        except PayloadErased:
            return FailJob(self.lease_id, ERASED, ())
        except _UnreadableInput:
            log.exception("job.input_unreadable", job_id=self.job_id)
            return FailJob(self.lease_id, UNREADABLE, ())
        # What an earlier run told cannot be taken back, so a later one tells its end alone.
        if self._job.accepted.stream and self._job.starts == 1 and self._ports.streams is not None:
            return await self._streamed(body, self._ports.streams)
        return await self._answer(body)

    async def _streamed(self, body: dict[str, Any], streams: AnswerStreams) -> JobCommand:
        """The same, with the events of the answer in its buffer as they come."""
        accepted, self._body = self._job.accepted, body
        outgoing = SURFACES[accepted.endpoint].outgoing(
            body, head_of(accepted, self._accepted_at, body)
        )
        stream = AnswerStream(streams, self.item.account_id, self.job_id, outgoing)

        def take(offer: OfferRef, delta: Delta) -> None:
            self._told_from = offer
            self._told.add(SURFACES[accepted.endpoint].added(delta))
            stream.take(delta)

        stream.begin()
        writing = asyncio.create_task(stream.write())
        try:
            command = await self._answer(body, take)
            if isinstance(command, CompleteJob):
                stream.finish()
                await asyncio.wait((writing,), timeout=STREAM_SECONDS)
            return command
        finally:
            writing.cancel()

    async def _stopped(self) -> JobCommand:
        """The end of a run that was asked to stop, with the charge for what was told till then."""
        return await self._stopped_after(self._told_from, self._body, self._told.told())

    async def _input(self, sealed: Sealed | None) -> dict[str, Any]:
        if sealed is None:
            raise _UnreadableInput("it was not kept")
        try:
            plain = await self._ports.payloads.open(self.item.account_id, sealed)
            body: dict[str, Any] = msgspec.json.decode(plain)
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            raise _UnreadableInput(str(error)) from error
        return body

    async def _give_up_on_poison(self) -> None:
        await self._start()
        await self._record_end(FailJob(self.lease_id, WORKER_LOST, self._job.failed_attempts))
