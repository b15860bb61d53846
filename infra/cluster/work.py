"""The worker role: runs jobs, schedules and makes deliveries, or both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from faststream.kafka import KafkaBroker

from adapters.codec.events import EventCodec
from adapters.kafka.consumers import ConsumerPorts, KafkaRunner
from adapters.kafka.dead_letters import DeadLetterTopic
from adapters.kafka.subscription import make_broker
from adapters.kafka.work_queue import KafkaWorkQueue, QueuePorts
from adapters.providers.session import HttpSession
from adapters.webhooks.resolver import ThreadPoolResolver
from domain.effects import Queue
from domain.errors import StoreUnavailable
from domain.event_types import ALL_EVENTS
from infra.active_probes import make_prober
from infra.cluster.kafka import connection_of, topics_of, until_topics_are_ready
from infra.cluster.node import ClusterNode, Serving, opened_node
from infra.making import (
    DELIVERY_DNS_THREADS,
    Basis,
    attempt_engine,
    job_ports,
    make_deliveries,
    make_dispatcher,
    make_health,
    make_running,
    make_sync,
    webhook_sender,
)
from infra.metrics import Readings, health_readings, job_readings
from infra.settings import Settings
from workers.dispatch import Dispatcher
from workers.node_health import NodeHealth
from workers.webhooks.deliverer import Deliverer, DeliveryLimits
from workers.webhooks.intake import WebhookIntake

Duty = Literal["dispatch", "webhooks"]
DUTIES: tuple[Duty, ...] = ("dispatch", "webhooks")
STOP_SECONDS = 15.0


@dataclass
class _Work:
    """What a worker process does, and how it is ended gently."""

    node: ClusterNode
    basis: Basis
    broker: KafkaBroker
    stack: AsyncExitStack
    followers: dict[str, KafkaWorkQueue | KafkaRunner] = field(default_factory=dict)
    drains: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    readings: dict[str, Readings] = field(default_factory=dict)
    runners: list[KafkaRunner] = field(default_factory=list)

    def queue(self, name: Queue) -> KafkaWorkQueue:
        """The queue of this name, followed from now on."""
        topics, store = topics_of(self.node.settings), self.node.storage.store
        made = KafkaWorkQueue(name, QueuePorts(self.broker, topics, EventCodec(ALL_EVENTS), store))
        self.follow(f"{name} queue", made)
        return made

    def follow(self, name: str, follower: KafkaWorkQueue | KafkaRunner) -> None:
        """Runs what reads Kafka, once there are topics."""
        self.followers[name] = follower
        self.node.tasks.start(name, _with_topics(self.node.settings, follower))

    def consumer_lags(self) -> Mapping[str, float]:
        return {runner.group: runner.lag for runner in self.runners}

    async def drain(self) -> None:
        """Takes nothing more in, and lets what runs end."""
        for follower in self.followers.values():
            follower.stop()
        await asyncio.gather(*(drain() for drain in self.drains))
        await self.node.tasks.ended(self.followers, STOP_SECONDS)


async def _with_topics(settings: Settings, follower: KafkaWorkQueue | KafkaRunner) -> None:
    await until_topics_are_ready(settings)
    await follower.run()


@asynccontextmanager
async def worker_node(settings: Settings, duties: Sequence[Duty]) -> AsyncIterator[Serving]:
    """Does the duties, sharing them with the other workers."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(opened_node(settings))
        basis = await node.basis()
        broker = make_broker(connection_of(settings))
        stack.push_async_callback(broker.stop)
        work = _Work(node, basis, broker, stack)
        if "dispatch" in duties:
            await _start_dispatch(work)
        if "webhooks" in duties:
            await _start_webhooks(work)
        lags: Readings = {
            "gatewayz_consumer_lag_positions": (
                "Records of its partitions not handled.",
                "consumer",
                work.consumer_lags,
            )
        }
        readings = {**lags, **{k: v for one in work.readings.values() for k, v in one.items()}}
        yield node.serving(node.vitals(readings=readings))
        await work.drain()


async def _start_dispatch(work: _Work) -> None:
    node = work.node
    health = make_health(work.basis)
    session = HttpSession()
    work.stack.push_async_callback(session.close)
    engine = attempt_engine(work.basis, session, health)
    running, ports = make_running(work.basis), job_ports(work.basis, engine)
    queue = work.queue("dispatch")
    dispatcher = make_dispatcher(work.basis, ports, queue, running, sole_worker=False)
    node.tasks.start("running jobs", running.run())
    node.tasks.start("dispatcher", dispatcher.run())
    node.tasks.start("health", health.run())
    node.tasks.start("probes", make_prober(work.basis, session, health).run())
    if node.settings.catalogue.enabled:
        syncing = node.leadership("catalogue").run(make_sync(work.basis, session).run)
        node.tasks.start("catalogue sync", syncing)
    work.readings["dispatch"] = {**job_readings(dispatcher), **health_readings(health)}
    work.drains.append(lambda: _end_dispatch(dispatcher, health))


async def _end_dispatch(dispatcher: Dispatcher, health: NodeHealth) -> None:
    await dispatcher.drain()
    with suppress(StoreUnavailable):
        await health.flush()


async def _start_webhooks(work: _Work) -> None:
    node, settings, storage = work.node, work.node.settings, work.node.storage
    directories = work.basis.directories
    resolver = ThreadPoolResolver(DELIVERY_DNS_THREADS)
    work.stack.push_async_callback(resolver.close)
    sender = await work.stack.enter_async_context(webhook_sender(settings, resolver))
    deliveries = make_deliveries(work.basis, sender)
    deliverer = Deliverer(deliveries, work.queue("webhooks"), storage.clock, DeliveryLimits())
    node.tasks.start("deliverer", deliverer.run())
    work.drains.append(deliverer.drain)
    dead_letters = DeadLetterTopic(connection_of(settings), topics_of(settings))
    work.stack.push_async_callback(dead_letters.close)
    intake = WebhookIntake(directories.webhooks, directories.webhooks_follower.reached)
    ports = ConsumerPorts(
        work.broker,
        topics_of(settings),
        EventCodec(ALL_EVENTS),
        dead_letters,
        storage.store,
        storage.store.log,
        storage.clock,
    )
    runner = KafkaRunner(intake.consumer, ports)
    work.runners.append(runner)
    work.follow("webhooks consumer", runner)
