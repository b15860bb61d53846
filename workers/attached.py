"""Requests whose client waits: each is run at once, and its client listens in.

The run belongs to the node and not to the connection. A client that hangs up ends it only where
the policy of its key says so, and pays for what it was sent (promise P8).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

import structlog

from domain.dialects.surface import Delta
from domain.dialects.surfaces import SURFACES
from domain.event import Origin
from domain.inference.commands import BeginJob, FailJob, JobCommand
from domain.inference.decide import NODE_LOST, LeaseLost
from domain.inference.events import JobAccepted, OfferRef
from domain.ports.interactive import Ended, RunLost
from domain.rating.estimate import Growing
from workers.attempts import Answered
from workers.handover import Handover
from workers.run import JobPorts, Run
from workers.running import RunningJobs

Batch = Sequence[tuple[OfferRef, Delta]]

log = structlog.get_logger(__name__)


class AttachedRun(Run):
    """See `domain.ports.interactive.Attached`."""

    def __init__(
        self, ports: JobPorts, accepted: JobAccepted, origin: Origin, worker_id: str, lease_ms: int
    ) -> None:
        super().__init__(ports, accepted.job_id, worker_id, lease_ms)
        self._accepted = accepted
        self._origin = origin
        self._deltas: Handover[tuple[OfferRef, Delta]] = Handover(self._count)
        self._surface = SURFACES[accepted.endpoint]
        self._request_body: dict[str, Any] = {}
        # What the client was given of the answer so far.
        self._sent_from: OfferRef | None = None
        self._sent = Growing()
        self._is_cut_off = False
        self._body: dict[str, Any] = {}
        self._outcome: Ended | BaseException | None = None
        self._waiting: list[asyncio.Future[None]] = []

    async def begin(self) -> None:
        """Records the acceptance and the lease. Raises what the event store refuses."""
        until = self._ports.clock.now() + self._lease_ms
        self._accepted_at = self._ports.clock.now()
        await self._execute(BeginJob(self._accepted, self.lease_id, self._worker_id, until))

    async def run(self, body: dict[str, Any], *, stream: bool) -> None:
        """Runs the job to its end; what went wrong is told to whoever waits for it."""
        self._request_body = body
        try:
            command = await self._answer(body, self._take if stream else None)
            await self._record_end(command)
            ended = self._job.ended
            self._outcome = RunLost(self.job_id) if ended is None else Ended(ended, self._body)
        except LeaseLost:
            self._outcome = RunLost(self.job_id)
        except BaseException as error:
            self._outcome = error
            raise
        finally:
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_result(None)
            self._deltas.close()

    def deltas(self, silence_seconds: float = 0.0) -> AsyncIterator[Batch]:
        return self._deltas.batches(silence_seconds)

    async def ended(self) -> Ended:
        if self._outcome is None:
            self._waiting.append(asyncio.get_running_loop().create_future())
            await self._waiting[-1]
        if isinstance(self._outcome, Ended):
            return self._outcome
        raise self._outcome or RunLost(self.job_id)

    def left(self) -> None:
        """See `Attached.left`."""
        self._deltas.abandon()
        if self._accepted.on_disconnect == "cancel" and self._outcome is None:
            self.stop()

    def cut_off(self) -> None:
        """See `Attached.cut_off`."""
        self._is_cut_off = True
        self.left()

    def _take(self, offer: OfferRef, delta: Delta) -> Awaitable[None] | None:
        return self._deltas.give((offer, delta))

    def _count(self, given: Batch) -> None:
        for offer, delta in given:
            self._sent_from = offer
            self._sent.add(self._surface.added(delta))

    def _answered(self, result: Answered) -> None:
        self._body = result.reply.body

    async def _stopped(self) -> JobCommand:
        """The end of a run that was asked to stop, with the charge for what was sent till then."""
        if self._is_cut_off:
            return FailJob(self.lease_id, NODE_LOST, self._job.failed_attempts)
        return await self._stopped_after(self._sent_from, self._request_body, self._sent.told())


class InteractiveRuns:
    """See `domain.ports.interactive.Interactive`."""

    def __init__(self, ports: JobPorts, running: RunningJobs, worker_id: str) -> None:
        self._ports = ports
        self._running = running
        self._worker_id = worker_id
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(
        self, accepted: JobAccepted, body: dict[str, Any], origin: Origin, *, stream: bool
    ) -> AttachedRun:
        run = AttachedRun(self._ports, accepted, origin, self._worker_id, self._running.lease_ms)
        # Before it is recorded: whoever finds the lease must see that it is kept here.
        self._running.add(run)
        try:
            await run.begin()
        except BaseException:
            self._running.remove(run)
            raise
        task = asyncio.create_task(self._see_through(run, body, stream=stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return run

    async def _see_through(self, run: AttachedRun, body: dict[str, Any], *, stream: bool) -> None:
        try:
            await run.run(body, stream=stream)
        except Exception:
            log.exception("request.crashed", job_id=run.job_id)
        finally:
            self._running.remove(run)

    async def drain(self, seconds: float) -> None:
        """Waits for what runs, at most so long; what still runs then is dropped, and its lease
        runs out.
        """
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
