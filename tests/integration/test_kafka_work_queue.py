"""The work queue of the cluster on a real Kafka: who gets which items, and when they move."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.blobs.files import FileBlobs
from adapters.crypto.master_key import MasterKey
from adapters.crypto.payloads import SealedPayloads
from adapters.kafka.work_queue import KafkaWorkQueue
from adapters.sqlite.data_keys import SqliteDataKeys
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.effects import Done, Lease, Queue
from domain.errors import StoreUnavailable
from domain.execute import fold
from domain.inference.events import JobStarted, LeaseExpired
from domain.ports.event_store import StreamWrite
from domain.ports.work_queue import IsOurs, WorkItem
from domain.webhooks.events import DeliveryAttempted, DeliveryScheduled
from domain.webhooks.state import evolve_delivery
from tests.support.dispatching import Dispatching
from tests.support.kafka_group import KafkaGroup, kafka_group, running, until
from tests.support.services import Broker
from tests.support.stores import accepted, appending, job_id, write
from workers.dispatch import Dispatcher, DispatchLimits
from workers.webhooks.deliverer import Deliverer, DeliveryLimits
from workers.webhooks.deliveries import Pending

PARTITIONS = 4


@pytest.fixture
async def here(
    kafka_server: Broker, topic_prefix: str, store_url: str
) -> AsyncIterator[KafkaGroup]:
    async with kafka_group(
        kafka_server.bootstrap_servers, topic_prefix, store_url, PARTITIONS
    ) as made:
        yield made


class Worker:
    """A subscriber that holds what it was given until it is another's."""

    def __init__(self, queue: KafkaWorkQueue, name: Queue = "dispatch") -> None:
        self.queue = queue
        self.received: list[WorkItem] = []
        self.holds: dict[str, WorkItem] = {}
        queue.subscribe(name, self._receive, self._withdraw)

    def _receive(self, item: WorkItem) -> None:
        self.received.append(item)
        self.holds[item.item_id] = item

    def _withdraw(self, is_ours: IsOurs) -> None:
        self.holds = {i: item for i, item in self.holds.items() if is_ours(i, item.lane)}


class AwayOnce:
    """Rows that cannot be read the first time that items are asked for, once `is_away` is set."""

    def __init__(self, here: KafkaGroup) -> None:
        self._rows, self.refusals, self.is_away = here.store, 0, False

    def __getattr__(self, name: str) -> object:
        return getattr(self._rows, name)

    async def items(self, queue: Queue, item_ids: Sequence[str]) -> Sequence[WorkItem]:
        if self.is_away and not self.refusals:
            self.refusals += 1
            raise StoreUnavailable("away")
        return await self._rows.items(queue, item_ids)


def jobs(numbers: range) -> set[str]:
    return {job_id(number) for number in numbers}


async def assigned(worker: Worker, partitions: int = 3 * PARTITIONS) -> None:
    await until(lambda: len(worker.queue.partitions) == partitions)
    await asyncio.sleep(0.2)  # what waits in the store is read then


async def test_an_item_is_given_once_its_event_is_published(here: KafkaGroup) -> None:
    worker = Worker(here.queue())
    async with running(worker.queue):
        await assigned(worker)
        await here.accept(range(20))
        await until(lambda: worker.holds.keys() == jobs(range(20)))
    # The look at the store that follows the assignment may bring some again.
    received = {item.position: item for item in worker.received}
    assert [received[place] for place in sorted(received)] == list(
        await here.store.backlog("dispatch")
    )


async def test_what_waits_at_the_assignment_is_given_though_no_record_tells_of_it(
    here: KafkaGroup,
) -> None:
    await here.accept(range(20))
    worker = Worker(here.queue())
    async with running(worker.queue):
        await until(lambda: worker.holds.keys() == jobs(range(20)))


async def test_every_item_is_given_to_one_of_two_members(here: KafkaGroup) -> None:
    first, second = Worker(here.queue()), Worker(here.queue())
    async with running(first.queue, second.queue):
        await until(lambda: 0 < len(first.queue.partitions) < 3 * PARTITIONS)
        await until(lambda: len(first.queue.partitions) + len(second.queue.partitions) == 12)
        await asyncio.sleep(0.3)
        await here.accept(range(100))
        await until(lambda: len(first.holds) + len(second.holds) == 100)
    assert first.holds.keys().isdisjoint(second.holds)


async def test_items_move_with_their_partitions(here: KafkaGroup) -> None:
    await here.accept(range(100))
    first, second = Worker(here.queue()), Worker(here.queue())
    everything = jobs(range(100))
    async with running(first.queue):
        await until(lambda: first.holds.keys() == everything)
        async with running(second.queue):
            await until(lambda: len(second.holds) > 0)
            await until(lambda: first.holds.keys() | second.holds.keys() == everything)
            await until(lambda: first.holds.keys().isdisjoint(second.holds))
        await until(lambda: first.holds.keys() == everything)


async def test_an_item_under_a_lease_is_not_given(here: KafkaGroup) -> None:
    await here.accept(range(2))
    await here.store.append(appending(work=(Lease("dispatch", job_id(0), "l", "w", 2**60),)))
    worker = Worker(here.queue())
    async with running(worker.queue):
        await until(lambda: job_id(1) in worker.holds)
        await here.send(await here.store.read_log(0, 10))
        await asyncio.sleep(0.3)
    assert worker.holds.keys() == {job_id(1)}


async def test_an_item_whose_lease_ended_is_given_again(here: KafkaGroup) -> None:
    worker = Worker(here.queue())
    async with running(worker.queue):
        await assigned(worker)
        await here.accept(range(1))
        await until(lambda: len(worker.received) == 1)
        started = JobStarted(job_id=job_id(0), lease_id="l", worker_id="w", lease_until=1)
        expired = LeaseExpired(job_id=job_id(0), lease_id="l")
        await write(here.store, job_id(0), started, expired, version=1)
        await here.publish()
        await until(lambda: len(worker.received) == 2)
    assert worker.received[1] == worker.received[0]._replace(starts=1)


async def test_an_item_that_is_done_is_not_given(here: KafkaGroup) -> None:
    await here.accept(range(3))
    sent = await here.store.read_log(0, 10)
    await here.store.append(appending(work=(Done("dispatch", job_id(1)),)))
    worker = Worker(here.queue())
    async with running(worker.queue):
        await assigned(worker)
        await here.send(sent)
        await asyncio.sleep(0.3)
    assert worker.holds.keys() == {job_id(0), job_id(2)}


async def test_a_record_that_is_lost_loses_no_work(here: KafkaGroup) -> None:
    worker = Worker(here.queue(sweep_seconds=0.3))
    async with running(worker.queue):
        await assigned(worker)
        await write(here.store, job_id(7), accepted(7))
        await until(lambda: worker.holds.keys() == {job_id(7)})


async def test_work_goes_on_while_partitions_are_shared_out_anew(here: KafkaGroup) -> None:
    """Which takes long after a member has died; nobody is told of a record meanwhile."""
    worker = Worker(here.queue(sweep_seconds=60))
    async with running(worker.queue):
        await assigned(worker)
        await worker.queue.revoked()
        await write(here.store, job_id(7), accepted(7))
        await until(lambda: worker.holds.keys() == {job_id(7)}, seconds=5)


async def test_a_store_that_is_away_when_a_record_comes_loses_no_work(here: KafkaGroup) -> None:
    rows = AwayOnce(here)
    worker = Worker(here.queue(rows=rows))  # type: ignore[arg-type]
    async with running(worker.queue):
        await assigned(worker)
        # These may be found by the look at an assignment; of the next ones a record tells.
        await here.accept(range(3))
        await until(lambda: worker.holds.keys() == jobs(range(3)))
        rows.is_away = True
        await here.accept(range(3, 6))
        await until(lambda: rows.refusals == 1)
        await until(lambda: worker.holds.keys() == jobs(range(6)))


async def test_the_backlog_and_what_lapsed_are_shared_out(here: KafkaGroup) -> None:
    await here.accept(range(40))
    leases = tuple(Lease("dispatch", job_id(n), f"l{n}", "dead", 100_000) for n in range(20))
    await here.store.append(appending(work=leases))
    first, second = Worker(here.queue()), Worker(here.queue())
    async with running(first.queue, second.queue):
        await until(lambda: len(first.queue.partitions) + len(second.queue.partitions) == 12)
        await until(lambda: len(first.queue.partitions) == 6)
        backlogs = [await w.queue.backlog("dispatch") for w in (first, second)]
        lapsed = [await w.queue.lapsed("dispatch", 100_001) for w in (first, second)]
        nobodys = await first.queue.lapsed("dispatch", 200_000)
    ids = [item.item_id for backlog in backlogs for item in backlog]
    assert sorted(ids) == sorted(jobs(range(40)))
    assert sorted(item.item_id for part in lapsed for item in part) == sorted(jobs(range(20)))
    assert len(nobodys) == 20


async def test_deliveries_are_shared_out_by_their_own_ids(here: KafkaGroup) -> None:
    first = Worker(here.queue("webhooks"), "webhooks")
    second = Worker(here.queue("webhooks"), "webhooks")
    async with running(first.queue, second.queue):
        await until(lambda: len(first.queue.partitions) == len(second.queue.partitions) == 2)
        await asyncio.sleep(0.3)
        writes = [StreamWrite(f"whd_{n}", 0, (scheduled(f"whd_{n}"),)) for n in range(40)]
        await asyncio.gather(*(here.store.append(appending(one)) for one in writes))
        await here.publish()
        await until(lambda: len(first.holds) + len(second.holds) == 40)
    assert len(first.received) + len(second.received) == 40


def scheduled(delivery_id: str) -> DeliveryScheduled:
    return DeliveryScheduled(
        delivery_id=delivery_id,
        message_id="evt_1",
        event_type="job.completed",
        url="https://example.com",
        endpoint_id=None,
        job_id=None,
        source_position=0,
        due_at=5,
    )


class Cluster(Dispatching):
    """Dispatchers that share the work through Kafka."""

    def __init__(self, here: KafkaGroup, payloads: SealedPayloads) -> None:
        super().__init__(here.store, payloads)  # type: ignore[arg-type]
        self._here = here
        self._members: dict[Dispatcher, list[asyncio.Task[None]]] = {}

    def join(self, name: str) -> Dispatcher:
        """Another worker, as in a process of its own."""
        queue = self._here.queue()
        limits = DispatchLimits(lease_seconds=1.0, sole_worker=False)
        ports = replace(self.dispatcher(limits)._ports, reached=self._reached)
        running = self.running(ports, name, limits)
        made = Dispatcher(ports, queue, limits, name, running)
        self._members[made] = [
            asyncio.create_task(queue.run()),
            asyncio.create_task(running.run()),
            asyncio.create_task(made.run()),
        ]
        return made

    async def _reached(self, position: int) -> None:
        await self.store.log.wait(position - 1)

    async def dies(self, worker: Dispatcher) -> None:
        """Ends a worker without a word: what it runs stays under its leases."""
        tasks = [*self._members.pop(worker), *worker._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self) -> None:
        for worker in list(self._members):
            await self.dies(worker)


@pytest.fixture
async def cluster(here: KafkaGroup, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        keys = SqliteDataKeys(tmp_path / "keys.db", MasterKey(b"m" * 32), SystemClock())
        stack.enter_context(closing(keys))
        payloads = SealedPayloads(keys, FileBlobs(tmp_path / "blobs", "process"), TimeOrderedIds())
        made = Cluster(here, payloads)
        stack.push_async_callback(made.stop)
        await stack.enter_async_context(here.relaying())
        yield made


async def test_workers_of_a_cluster_run_every_job_once(cluster: Cluster) -> None:
    cluster.provider.open.set()
    cluster.join("w1")
    names = [await cluster.submit(n) for n in range(10)]
    cluster.join("w2")
    names += [await cluster.submit(n) for n in range(10, 40)]
    jobs = await cluster.ended(*names)
    assert {(job.status, job.starts) for job in jobs} == {("succeeded", 1)}
    assert sorted(cluster.provider.calls) == sorted(names)


async def test_the_jobs_of_a_worker_that_died_are_run_by_another(cluster: Cluster) -> None:
    dying = cluster.join("w1")
    names = [await cluster.submit(n) for n in range(6)]
    await cluster.provider.count(6)
    cluster.join("w2")
    await cluster.dies(dying)
    cluster.provider.open.set()
    jobs = await cluster.ended(*names)
    assert {job.status for job in jobs} == {"succeeded"}
    assert {job.starts for job in jobs} == {2}
    assert await cluster.store.backlog("dispatch") == []


class Sender:
    """Sends nothing: counts attempts, and records each as delivered."""

    def __init__(self, here: KafkaGroup) -> None:
        self._here = here
        self.attempts: list[str] = []

    async def pending(self, delivery_id: str) -> Pending | None:
        history = await self._here.store.read_stream(delivery_id)
        delivery = fold(history, evolve_delivery)
        if delivery is None or delivery.status != "pending":
            return None
        return Pending(delivery, history)

    async def attempt(self, pending: Pending) -> None:
        delivery_id = pending.scheduled.delivery_id
        self.attempts.append(delivery_id)
        await asyncio.sleep(0.05)
        attempted = DeliveryAttempted(
            delivery_id=delivery_id,
            attempt=1,
            at=1,
            duration_ms=50,
            status_code=200,
            error=None,
            result="delivered",
            next_attempt_at=None,
        )
        await write(self._here.store, delivery_id, attempted, version=1)


async def test_deliveries_are_sent_once_though_a_process_joins_meanwhile(here: KafkaGroup) -> None:
    sender, names = Sender(here), [f"whd_{n}" for n in range(200)]
    queues = [here.queue("webhooks"), here.queue("webhooks")]
    limits = DeliveryLimits(concurrency=4, per_account=4, drain_seconds=5)
    deliverers = [Deliverer(sender, queue, SystemClock(), limits) for queue in queues]
    for name in names:
        await write(here.store, name, scheduled(name))
    async with here.relaying(), running(queues[0]):
        working = [asyncio.create_task(deliverers[0].run())]
        await until(lambda: len(sender.attempts) > 10)
        async with running(queues[1]):
            working.append(asyncio.create_task(deliverers[1].run()))
            await until(lambda: len(queues[1].partitions) == 2)
            await until(lambda: len(set(sender.attempts)) == len(names))
            await asyncio.gather(*(deliverer.drain() for deliverer in deliverers))
        for task in working:
            task.cancel()
    assert sorted(sender.attempts) == sorted(names)
    assert await here.store.backlog("webhooks") == []
