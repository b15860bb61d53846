"""The jobs that run on this node: their leases are kept, and who asked to stop is heard."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from domain.effects import Renew
from domain.errors import StoreUnavailable
from domain.event import Recorded, system_origin
from domain.following import follow
from domain.ids import HOUSE_ACCOUNT
from domain.inference.events import CancelRequested
from domain.ports.clock import Clock
from domain.ports.event_store import Append, EventStore, LogEntry
from domain.ports.log import Log
from workers.run import Run

# How long a duty waits when the event store is away.
AWAY_SECONDS = 1.0

log = structlog.get_logger(__name__)


class RunningJobs:
    """What runs here, by job id."""

    def __init__(
        self, store: EventStore, source: Log, clock: Clock, worker_id: str, lease_seconds: float
    ) -> None:
        self._store = store
        self._source = source
        self._clock = clock
        self._worker_id = worker_id
        self._lease_seconds = lease_seconds
        self._runs: dict[str, Run] = {}
        self._was_away_at: float | None = None
        self._start = source.head()  # before a job runs: every worker may run the one cancelled

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self._runs

    @property
    def lease_ms(self) -> int:
        return int(self._lease_seconds * 1000)

    def add(self, run: Run) -> None:
        """Keeps the lease of a run from now on."""
        self._runs[run.job_id] = run

    def remove(self, run: Run) -> None:
        """The run has ended."""
        if self._runs.get(run.job_id) is run:
            del self._runs[run.job_id]

    def holds(self, lease_id: str | None) -> bool:
        """Whether a lease is that of a run here."""
        return any(run.lease_id == lease_id for run in self._runs.values())

    async def run(self) -> None:
        """Follows cancellations and renews leases until cancelled."""
        async with asyncio.TaskGroup() as duties:
            duties.create_task(follow(self._source, self._start, self._stop_cancelled))
            duties.create_task(every(self._lease_seconds / 3, self._renew))

    def were_renewable(self) -> bool:
        """Whether leases that ran out did so though the store was there to renew them."""
        away_at = self._was_away_at
        return away_at is None or (self._clock.monotonic() - away_at >= self._lease_seconds)

    def noted_absence(self) -> None:
        """The store is away; leases that live get the time of one to be renewed."""
        self._was_away_at = self._clock.monotonic()

    def _stop_cancelled(self, entries: Sequence[LogEntry]) -> None:
        for entry in entries:
            if isinstance(entry, Recorded) and isinstance(entry.event, CancelRequested):
                run = self._runs.get(entry.event.job_id)
                if run is not None:
                    run.stop()

    async def _renew(self) -> None:
        until = self._clock.now() + self.lease_ms
        renewed = tuple(_renewals(self._runs.values(), until))
        if not renewed:
            return
        origin = system_origin(HOUSE_ACCOUNT, self._worker_id, "leases")
        try:
            await self._store.append(Append(origin, work=renewed))
        except StoreUnavailable:
            self.noted_absence()
            raise


def _renewals(runs: Iterable[Run], until: int) -> Iterable[Renew]:
    return (Renew("dispatch", run.job_id, run.lease_id, until) for run in runs if run.is_started)


async def every(seconds: float, duty: Callable[[], Awaitable[None]]) -> None:
    """Does a duty for ever."""
    while True:
        await asyncio.sleep(seconds)
        await until_done(duty)


async def until_done(duty: Callable[[], Awaitable[None]]) -> None:
    """Does a duty once; while the store is away it is tried again."""
    while True:
        try:
            await duty()
        except StoreUnavailable as error:
            log.warning("duty.postponed", error=str(error))
            await asyncio.sleep(AWAY_SECONDS)
        else:
            return
