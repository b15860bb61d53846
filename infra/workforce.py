"""The workers of a node, built over its storage, started and drained together."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from adapters.providers.session import HttpSession
from adapters.sqlite.event_store import SqliteEventStore
from adapters.store.runner import Runner
from adapters.webhooks.resolver import ThreadPoolResolver
from api.watch import StreamWatch
from domain.errors import NotFound, StoreUnavailable
from domain.ports.event_store import DeadLetter
from domain.routing.routes import Routes
from infra.active_probes import make_prober
from infra.directories import Directories
from infra.making import (
    DELIVERY_DNS_THREADS,
    Basis,
    attempt_engine,
    job_ports,
    make_deliveries,
    make_dispatcher,
    make_health,
    make_routes,
    make_running,
    make_sync,
    webhook_sender,
)
from infra.metrics import EventCounter
from infra.tasks import Tasks
from workers.attached import InteractiveRuns
from workers.catalogue_sync import CatalogueSync
from workers.dispatch import Dispatcher
from workers.node_health import NodeHealth
from workers.probes import Prober
from workers.projector import Projector
from workers.running import RunningJobs
from workers.webhooks.deliverer import Deliverer, DeliveryLimits
from workers.webhooks.deliveries import Deliveries
from workers.webhooks.intake import WebhookIntake

STOP_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Workforce:
    """Everything that works in the background of a node."""

    dispatcher: Dispatcher
    running: RunningJobs
    interactive: InteractiveRuns
    routes: Routes
    drain_seconds: float
    deliveries: Deliveries
    deliverer: Deliverer
    runners: Mapping[str, Runner]
    projector: Projector
    watch: StreamWatch
    health: NodeHealth
    prober: Prober
    sync: CatalogueSync
    counter: EventCounter
    resolver: ThreadPoolResolver
    syncs: bool

    def start(self, tasks: Tasks, directories: Directories) -> None:
        """Starts everything; directories first, so that nobody decides on an old one."""
        tasks.start("directories", directories.run())
        for name, runner in self.runners.items():
            tasks.start(name, runner.run())
        tasks.start("running jobs", self.running.run())
        tasks.start("dispatcher", self.dispatcher.run())
        tasks.start("deliverer", self.deliverer.run())
        tasks.start("projector", self.projector.run())
        tasks.start("watch", self.watch.run())
        tasks.start("health", self.health.run())
        tasks.start("probes", self.prober.run())
        if self.syncs:
            tasks.start("catalogue sync", self.sync.run())
        tasks.start("metrics", self.counter.run())

    async def drain(self, tasks: Tasks) -> None:
        """Starts nothing more, lets what runs end, and then ends those who follow the log."""
        await asyncio.gather(
            self.dispatcher.drain(),
            self.interactive.drain(self.drain_seconds),
            self.deliverer.drain(),
        )
        with suppress(StoreUnavailable):
            await self.health.flush()
        for runner in self.runners.values():
            runner.stop()
        self.projector.stop()
        await tasks.ended({**self.runners, "projector": self.projector}, STOP_SECONDS)

    async def redrive(self, letter: DeadLetter) -> None:
        """Handles a dead letter again."""
        for runner in self.runners.values():
            if runner.group == letter.consumer:
                await runner.redrive(letter)
                return
        raise NotFound(f"no such consumer: {letter.consumer[:80]}")


@asynccontextmanager
async def build_workforce(basis: Basis, store: SqliteEventStore) -> AsyncIterator[Workforce]:
    """Builds the workers; their connections are closed at the end."""
    source, storage, directories = store.log, basis.storage, basis.directories
    health = make_health(basis)
    intake = WebhookIntake(directories.webhooks, directories.webhooks_follower.reached)
    session, resolver = HttpSession(), ThreadPoolResolver()
    delivery_resolver = ThreadPoolResolver(DELIVERY_DNS_THREADS)
    try:
        async with webhook_sender(basis.settings, delivery_resolver) as sender:
            engine = attempt_engine(basis, session, health)
            ports, running = job_ports(basis, engine), make_running(basis)
            deliveries = make_deliveries(basis, sender)
            yield Workforce(
                make_dispatcher(basis, ports, store, running, sole_worker=True),
                running,
                InteractiveRuns(ports, running, basis.node_id),
                make_routes(basis, health),
                basis.settings.dispatch.drain_timeout,
                deliveries,
                Deliverer(deliveries, store, storage.clock, DeliveryLimits()),
                {"webhooks consumer": Runner(intake.consumer, source, store, storage.clock)},
                Projector(source, storage.read_models, storage.clock),
                StreamWatch(source),
                health,
                make_prober(basis, session, health),
                make_sync(basis, session),
                EventCounter(source, CollectorRegistry()),
                resolver,
                basis.settings.catalogue.enabled,
            )
    finally:
        await session.close()
        await resolver.close()
        await delivery_resolver.close()
