"""Dispatch: the process manager that runs waiting jobs, so many at a time.

A job enters the work queue in the transaction that accepts it (`domain/effects.py`) and is given
to the dispatcher once that is durable. Here are fairness, deadlines,
leases that ran out, and drain; leases and cancellations of what runs are seen to by
`workers/running.py`.
"""

import asyncio
from dataclasses import dataclass

import structlog

from domain.errors import StoreUnavailable, UndecodableEvent
from domain.event import Origin, system_origin
from domain.execute import execute
from domain.inference.commands import ExpireJob, ExpireLease, JobCommand
from domain.inference.decide import LeaseLost, decide, stream_of
from domain.inference.state import evolve
from domain.ports.work_queue import IsOurs, WorkItem, WorkQueue
from workers.deadlines import Deadlines
from workers.job_run import JobRun
from workers.run import JobPorts
from workers.running import AWAY_SECONDS, RunningJobs, every, until_done
from workers.scheduler import Scheduler

# How long a job waits whose run broke before it had a lease.
BROKEN_SECONDS = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DispatchLimits:
    """How many jobs run at once, in all and for one account; times in seconds.

    `sole_worker`: no other process works on this store, so every lease found at the start
    belongs to a dead one and ends at once.
    """

    concurrency: int = 500
    per_account: int = 500
    lease_seconds: float = 30.0
    drain_seconds: float = 20.0
    sole_worker: bool = True


class Dispatcher:
    """Runs waiting jobs, and follows the log for cancellations of those that run here."""

    def __init__(
        self,
        ports: JobPorts,
        queue: WorkQueue,
        limits: DispatchLimits,
        worker_id: str,
        running: RunningJobs,
    ) -> None:
        self._ports = ports
        self._running = running
        self._queue = queue
        self._limits = limits
        self._worker_id = worker_id
        self._scheduler = Scheduler(limits.per_account)
        self._runs: dict[str, JobRun] = {}
        self._taken_in: set[str] = set()
        # Came in again while they ran here: this run may have lost its lease meanwhile.
        self._again: dict[str, WorkItem] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._deadlines = Deadlines()
        self._accepting = True

    @property
    def running(self) -> int:
        """How many jobs run now."""
        return len(self._runs)

    async def run(self) -> None:
        """Works until cancelled; `drain` ends it gently."""
        self._queue.subscribe("dispatch", self._arrived, self._withdraw)
        async with asyncio.TaskGroup() as duties:
            await until_done(self._adopt_backlog)
            duties.create_task(every(self._limits.lease_seconds / 2, self._reap_leases))
            duties.create_task(every(0, self._expire_deadlines))

    async def drain(self) -> None:
        """Starts nothing more and waits for what runs, at most `drain_seconds`.

        What still runs then is dropped without an event: its lease runs out and the job is
        queued again.
        """
        self._accepting = False
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._limits.drain_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _adopt_backlog(self) -> None:
        """Takes over what was there at the start."""
        for item in await self._queue.backlog("dispatch"):
            if item.lease_id is None:
                self._arrived(item)
            elif self._limits.sole_worker and not self._running.holds(item.lease_id):
                await self._expire_lease(item)

    def _arrived(self, item: WorkItem) -> None:
        running = self._runs.get(item.item_id)
        if running is not None:
            if item.starts > running.item.starts:  # else it is the same, told once more
                self._again[item.item_id] = item
            return
        # The backlog that is read at the start and the feed may both bring an item.
        if item.item_id in self._taken_in:
            return
        self._taken_in.add(item.item_id)
        if item.deadline_at is not None:
            self._deadlines.add(item.item_id, item.deadline_at)
        self._scheduler.add(item)
        self._fill_slots()

    def _withdraw(self, is_ours: IsOurs) -> None:
        """Lets go of waiting jobs that are another worker's now."""
        for item in self._scheduler.discard(is_ours):
            self._taken_in.discard(item.item_id)
            self._deadlines.discard(item.item_id)
        self._again = {
            job_id: item for job_id, item in self._again.items() if is_ours(job_id, item.lane)
        }

    def _fill_slots(self) -> None:
        while self._accepting and len(self._tasks) < self._limits.concurrency:
            item = self._scheduler.next()
            if item is None:
                return
            run = JobRun(self._ports, item, self._worker_id, self._running.lease_ms)
            self._runs[item.item_id] = run
            self._running.add(run)
            self._tasks.add(asyncio.create_task(self._run(run)))

    async def _run(self, run: JobRun) -> None:
        item = run.item
        try:
            await run.run()
        except StoreUnavailable as error:
            log.warning("job.store_unavailable", job_id=item.item_id, error=str(error))
            self._take_up_later(run, AWAY_SECONDS)
        except Exception:
            log.exception("job.crashed", job_id=item.item_id)
            self._take_up_later(run, BROKEN_SECONDS)
        finally:
            self._running.remove(run)
            self._release_slot(item)

    def _take_up_later(self, run: JobRun, seconds: float) -> None:
        """Puts a job back that got no lease; one that did is queued again when that runs out."""
        if not run.is_started:
            asyncio.get_running_loop().call_later(seconds, self._arrived, run.item)

    def _release_slot(self, item: WorkItem) -> None:
        self._runs.pop(item.item_id, None)
        self._taken_in.discard(item.item_id)
        self._deadlines.discard(item.item_id)
        task = asyncio.current_task()
        if task is not None:
            self._tasks.discard(task)
        self._scheduler.finished(item)
        again = self._again.pop(item.item_id, None)
        if again is not None:
            self._arrived(again)
        self._fill_slots()

    async def _reap_leases(self) -> None:
        """Ends leases that ran out; while the store was away none could be renewed, and those that
        live get the time of a lease to be.
        """
        if not self._running.were_renewable():
            return
        try:
            for item in await self._queue.lapsed("dispatch", self._ports.clock.now()):
                if item.item_id not in self._running:
                    await self._expire_lease(item)
        except StoreUnavailable:
            self._running.noted_absence()
            raise

    async def _expire_lease(self, item: WorkItem) -> None:
        """Ends a dead worker's lease. A job that this version cannot read is left as it is."""
        origin = system_origin(item.account_id, self._worker_id, item.item_id)
        try:
            await self._execute(item.item_id, ExpireLease(item.lease_id or ""), origin)
        except UndecodableEvent as error:
            log.warning("job.unreadable", job_id=item.item_id, error=str(error))

    async def _expire_deadlines(self) -> None:
        """Ends queued jobs whose deadline passes; running ones see to it themselves."""
        now = self._ports.clock.now()
        while (job_id := self._deadlines.take_due(now)) is not None:
            try:
                await self._expire_job(job_id)
            except StoreUnavailable:
                self._deadlines.add(job_id, now)
                raise
        await self._deadlines.wait(now)

    async def _expire_job(self, job_id: str) -> None:
        try:
            history = await self._ports.store.read_stream(job_id)
            origin = system_origin(
                history[0].account_id, self._worker_id, history[0].correlation_id
            )
            await self._execute(job_id, ExpireJob(None), origin)
        except LeaseLost:
            log.debug("job.deadline_left_to_run", job_id=job_id)
        except UndecodableEvent as error:
            log.warning("job.unreadable", job_id=job_id, error=str(error))

    async def _execute(self, job_id: str, command: JobCommand, origin: Origin) -> None:
        await execute(
            self._ports.store,
            job_id,
            command,
            origin,
            decide=decide,
            evolve=evolve,
            stream_of=stream_of,
        )
