"""A dispatcher on a real store, with a provider that answers when it is let."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.blobs.files import FileBlobs
from adapters.crypto.master_key import MasterKey
from adapters.crypto.payloads import SealedPayloads
from adapters.sqlite.data_keys import SqliteDataKeys
from adapters.sqlite.event_store import SqliteEventStore
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.catalog.events import PriceBookPublished
from domain.catalog.price_books import PriceBooks
from domain.execute import fold
from domain.inference.events import JobStarted, Lane, LeaseExpired, Usage
from domain.inference.state import Job, evolve
from domain.ports.event_store import EventStore
from domain.ports.provider import CallTimeouts, OnDelta, ProviderCall, ProviderReply
from domain.routing.policy import AttemptLimits
from tests.support.scripted_provider import completion
from tests.support.simulated_log import PRICE_VERSION, PRICED, job_accepted
from tests.support.stores import credited, job_id, opened_store, write
from workers.attempts import AttemptEngine
from workers.dispatch import Dispatcher, DispatchLimits
from workers.run import JobPorts
from workers.running import RunningJobs

HOLD = 1_000_000_000


class HeldProvider:
    """Keeps every call until `open` is set; remembers the jobs in the order they came."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.open = asyncio.Event()
        self.running = self.most_running = self.stopped = 0
        self._changed = asyncio.Condition()

    async def call(self, call: ProviderCall, on_delta: OnDelta | None = None) -> ProviderReply:
        async with self._changed:
            self.calls.append(call.request_id)
            self._changed.notify_all()
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.wait_for(self.open.wait(), call.timeouts.total)
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        finally:
            self.running -= 1
        return ProviderReply(completion(), Usage(input_tokens=2, output_tokens=1), None, "stop")

    async def count(self, calls: int) -> None:
        """Returns once so many calls have come."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(self.calls) >= calls)


class Dispatching:
    """Jobs, a provider and as many dispatchers as `start` makes."""

    def __init__(self, store: SqliteEventStore, payloads: SealedPayloads) -> None:
        self.store, self.payloads = store, payloads
        self.provider = HeldProvider()
        self.clock, self.ids = SystemClock(), TimeOrderedIds()
        self._tasks: list[asyncio.Task[None]] = []

    def dispatcher(self, limits: DispatchLimits, store: EventStore | None = None) -> Dispatcher:
        """A dispatcher that does nothing yet; `store` stands before the real one."""
        prices = PriceBooks()
        prices.publish(PriceBookPublished(price_version=PRICE_VERSION, offers=(PRICED,)))
        engine = AttemptEngine(
            {"h1": self.provider},
            self.clock,
            AttemptLimits(),
            CallTimeouts(60, 60, 60, 60),
            lambda _: None,
        )
        ports = JobPorts(
            store or self.store,
            self.store.log,
            self.payloads,
            engine,
            prices,
            _reached,
            self.clock,
            self.ids,
        )
        return Dispatcher(
            ports, self.store, limits, "worker", self.running(ports, "worker", limits)
        )

    def running(self, ports: JobPorts, worker_id: str, limits: DispatchLimits) -> RunningJobs:
        """What keeps the leases of one dispatcher's jobs."""
        seconds = limits.lease_seconds
        return RunningJobs(ports.store, ports.source, ports.clock, worker_id, seconds)

    def start(self, **limits: Any) -> Dispatcher:
        """Runs a dispatcher."""
        made = self.dispatcher(DispatchLimits(**limits))
        self.run(made)
        return made

    def run(self, made: Dispatcher) -> None:
        self._tasks += [
            asyncio.create_task(made._running.run()),
            asyncio.create_task(made.run()),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def submit(
        self,
        number: int,
        *,
        account: str = "acct_1",
        lane: Lane = "standard",
        deadline_ms: int | None = None,
    ) -> str:
        """Accepts a job; `deadline_ms` is from now."""
        name = job_id(number)
        accepted = job_accepted(name, hold=HOLD)
        deadline = None if deadline_ms is None else self.clock.now() + deadline_ms
        body = b'{"model": "alpha", "messages": [{"role": "user", "content": "Hi"}]}'
        sealed = await self.payloads.seal(account, f"{name}/input", body)
        accepted = replace(accepted, lane=lane, deadline_at=deadline, input=sealed)
        await write(self.store, f"crd_{name}", credited(f"crd_{name}", HOLD), account=account)
        await write(self.store, name, accepted, account=account)
        return name

    async def start_of_a_dead_worker(self, name: str, *, lease: str, version: int) -> None:
        """Records a start under a lease that has run out."""
        started = JobStarted(job_id=name, lease_id=lease, worker_id="dead", lease_until=1)
        await write(self.store, name, started, version=version)

    async def lease_expired(self, name: str, *, lease: str, version: int) -> None:
        await write(self.store, name, LeaseExpired(job_id=name, lease_id=lease), version=version)

    async def job(self, name: str) -> Job:
        job = fold(await self.store.read_stream(name), evolve)
        assert job is not None
        return job

    async def events(self, name: str) -> list[str]:
        return [r.event.event_name.split(".", 1)[1] for r in await self.store.read_stream(name)]

    async def ended(self, *names: str) -> list[Job]:
        """The jobs, once all have ended."""
        async with asyncio.timeout(10):
            while True:
                head = self.store.log.head()
                jobs = [await self.job(name) for name in names]
                if all(job.is_ended for job in jobs):
                    return jobs
                await self.store.log.wait(head)

    async def queued(self, count: int) -> None:
        """Returns once so many jobs are in the queue."""
        async with asyncio.timeout(10):
            while len(await self.store.backlog("dispatch")) < count:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def dispatching(folder: Path) -> AsyncIterator[Dispatching]:
    """Opened again on the same folder it goes on where it stopped."""
    async with AsyncExitStack() as stack:
        keys = SqliteDataKeys(folder / "keys.db", MasterKey(b"m" * 32), SystemClock())
        stack.enter_context(closing(keys))
        store = await stack.enter_async_context(opened_store(folder / "events.db"))
        payloads = SealedPayloads(keys, FileBlobs(folder / "blobs", "process"), TimeOrderedIds())
        made = Dispatching(store, payloads)
        stack.push_async_callback(made.stop)
        yield made


async def _reached(_position: int) -> None:
    """The prices here are there from the start."""
