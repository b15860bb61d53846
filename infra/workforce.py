"""The workers of a node, built over its storage, started and drained together."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from adapters.providers.session import HttpSession
from adapters.store.runner import Runner
from adapters.webhooks.resolver import ThreadPoolResolver
from adapters.webhooks.sender import AiohttpSender
from adapters.webhooks.signer import StandardSigner
from api.watch import StreamWatch
from domain.errors import NotFound, StoreUnavailable
from domain.ports.event_store import DeadLetter
from domain.ports.provider import CallTimeouts
from domain.routing.policy import AttemptLimits
from domain.webhooks.retry import RetryPolicy
from infra.directories import Directories
from infra.metrics import EventCounter
from infra.offers import build_providers
from infra.settings import Settings
from infra.storage import Storage
from infra.tasks import Tasks
from infra.version import VERSION
from workers.attempts import AttemptEngine
from workers.dispatch import Dispatcher, DispatchLimits
from workers.health import HealthRecorder
from workers.job_run import JobPorts
from workers.projector import Projector
from workers.webhooks.composer import Composer
from workers.webhooks.deliverer import Deliverer, DeliveryLimits
from workers.webhooks.deliveries import Deliveries, DeliveryPorts
from workers.webhooks.intake import WebhookIntake

STOP_SECONDS = 5
# One for every delivery that can run, so that one account's slow names leave some for others.
DELIVERY_DNS_THREADS = DeliveryLimits().concurrency


@dataclass(frozen=True, slots=True)
class Workforce:
    """Everything that works in the background of a node."""

    dispatcher: Dispatcher
    deliveries: Deliveries
    deliverer: Deliverer
    runners: Mapping[str, Runner]
    projector: Projector
    watch: StreamWatch
    health: HealthRecorder
    counter: EventCounter
    resolver: ThreadPoolResolver

    def start(self, tasks: Tasks, directories: Directories) -> None:
        """Starts everything; directories first, so that nobody decides on an old one."""
        for name, follower in directories.followers.items():
            tasks.start(f"{name} directory", follower.run())
        for name, runner in self.runners.items():
            tasks.start(name, runner.run())
        tasks.start("dispatcher", self.dispatcher.run())
        tasks.start("deliverer", self.deliverer.run())
        tasks.start("projector", self.projector.run())
        tasks.start("watch", self.watch.run())
        tasks.start("health", self.health.run())
        tasks.start("metrics", self.counter.run())

    async def drain(self, tasks: Tasks) -> None:
        """Starts nothing more, lets what runs end, and then ends those who follow the log."""
        await asyncio.gather(self.dispatcher.drain(), self.deliverer.drain())
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
async def build_workforce(
    settings: Settings, storage: Storage, directories: Directories, node_id: str
) -> AsyncIterator[Workforce]:
    """Builds the workers; their connections are closed at the end."""
    source, store, clock = storage.store.log, storage.store, storage.clock
    health = HealthRecorder(store, clock, node_id)
    intake = WebhookIntake(directories.webhooks, directories.webhooks_follower.reached)
    session, resolver = HttpSession(), ThreadPoolResolver()
    delivery_resolver = ThreadPoolResolver(DELIVERY_DNS_THREADS)
    try:
        async with _sender(settings, delivery_resolver) as sender:
            engine = _attempt_engine(settings, session, storage, health)
            dispatcher = _dispatcher(settings, storage, directories, engine, node_id)
            deliveries = _deliveries(settings, storage, directories, sender)
            yield Workforce(
                dispatcher,
                deliveries,
                Deliverer(deliveries, store, clock, DeliveryLimits()),
                {"webhooks consumer": Runner(intake.consumer, source, store, clock)},
                Projector(source, storage.read_models, clock),
                StreamWatch(source),
                health,
                EventCounter(source),
                resolver,
            )
    finally:
        await session.close()
        await resolver.close()
        await delivery_resolver.close()


def _attempt_engine(
    settings: Settings, session: HttpSession, storage: Storage, health: HealthRecorder
) -> AttemptEngine:
    attempts = settings.attempts
    return AttemptEngine(
        build_providers(settings, session, storage.clock),
        storage.clock,
        AttemptLimits(max_attempts=attempts.max_attempts),
        CallTimeouts(
            attempts.connect_timeout,
            attempts.first_byte_timeout,
            attempts.chunk_timeout,
            attempts.total_timeout,
        ),
        health.observe,
    )


def _dispatcher(
    settings: Settings,
    storage: Storage,
    directories: Directories,
    engine: AttemptEngine,
    node_id: str,
) -> Dispatcher:
    dispatch = settings.dispatch
    ports = JobPorts(
        storage.store,
        storage.store.log,
        storage.payloads,
        engine,
        directories.prices,
        storage.clock,
        storage.ids,
    )
    limits = DispatchLimits(
        concurrency=dispatch.concurrency,
        per_account=dispatch.per_account or max(1, dispatch.concurrency * 4 // 5),
        lease_seconds=dispatch.lease_seconds,
        drain_seconds=dispatch.drain_timeout,
    )
    return Dispatcher(ports, storage.store, limits, node_id)


def _sender(settings: Settings, resolver: ThreadPoolResolver) -> AiohttpSender:
    return AiohttpSender(
        resolver,
        user_agent=f"Gatewayz/{VERSION}",
        timeout=settings.webhooks.timeout,
        allow_private=settings.webhooks.allow_private_targets,
    )


def _deliveries(
    settings: Settings, storage: Storage, directories: Directories, sender: AiohttpSender
) -> Deliveries:
    ports = DeliveryPorts(
        store=storage.store,
        composer=Composer(storage.store, storage.payloads, StandardSigner()),
        sender=sender,
        directory=directories.webhooks,
        reached=directories.webhooks_follower.reached,
        clock=storage.clock,
        ids=storage.ids,
        random=random.random,
    )
    return Deliveries(ports, RetryPolicy(gaps=settings.webhooks.retry_schedule))
