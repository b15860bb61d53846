"""The composition root: which adapter stands behind which port, in the embedded profile."""

import asyncio
import random
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import structlog

from adapters.providers.session import HttpSession
from adapters.sqlite.runner import Runner
from adapters.webhooks.resolver import ThreadPoolResolver
from adapters.webhooks.sender import AiohttpSender
from adapters.webhooks.signer import StandardSigner
from adapters.webhooks.targets import PublicTargets
from api.ports import ApiLimits, ApiPorts
from api.watch import StreamWatch
from domain.access.opening import OpeningPorts
from domain.errors import NotFound
from domain.ports.event_store import DeadLetter
from domain.ports.provider import CallTimeouts
from domain.routing.policy import AttemptLimits
from domain.webhooks.retry import RetryPolicy
from infra.directories import Directories, load_directories, publish_prices
from infra.first_admin import ensure_admin
from infra.offers import build_catalogue, build_providers, provider_objects
from infra.settings import Settings
from infra.storage import Storage, open_storage
from workers.attempts import AttemptEngine
from workers.dispatch import Dispatcher, DispatchLimits
from workers.health import HealthRecorder
from workers.job_run import JobPorts
from workers.projector import Projector
from workers.webhooks.composer import Composer
from workers.webhooks.deliverer import Deliverer, DeliveryLimits
from workers.webhooks.deliveries import Deliveries, DeliveryPorts
from workers.webhooks.intake import WebhookIntake

# The event loop and the store's writer share the interpreter lock. At Python's default of 5 ms a
# commit beside a busy loop waits that long at each of its steps (decision 0002).
SWITCH_INTERVAL_SECONDS = 0.0005
# A read model further behind than this makes the node unready.
READY_LAG_MS = 10_000

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Engine:
    """A running engine. `failed` ends when a part that must not end does."""

    ports: ApiPorts
    dispatcher: Dispatcher
    new_admin_key: str | None
    failed: asyncio.Future[None]


@dataclass(slots=True)
class _Tasks:
    """Background tasks; one that fails fails the engine."""

    failed: asyncio.Future[None]
    running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self.running[name] = task
        return task

    def states(self) -> Mapping[str, str]:
        return {name: "stopped" if task.done() else "ok" for name, task in self.running.items()}

    async def cancel(self) -> None:
        for task in self.running.values():
            task.cancel()
        await asyncio.gather(*self.running.values(), return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("engine.part_failed", part=task.get_name(), exc_info=error)
            if not self.failed.done():
                self.failed.set_exception(error)


@asynccontextmanager
async def engine(settings: Settings) -> AsyncIterator[Engine]:
    """Starts the engine on the settings' data directory and ends it gently.

    Raises `DataDirectoryInUse`, `MasterKeyProblem` and `InvalidCatalogue` before anything runs.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    catalogue = build_catalogue(settings)
    node_id = f"{socket.gethostname()}-{random.randrange(16**6):06x}"  # noqa: S311 - a name
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(open_storage(settings))
        directories = await load_directories(storage)
        price_version = await publish_prices(storage, catalogue, directories.prices)
        opening = OpeningPorts(
            storage.store, storage.payloads, storage.secrets, storage.clock, storage.ids
        )
        chosen = settings.bootstrap_admin_key
        new_admin_key = await ensure_admin(
            opening, directories.keys, None if chosen is None else chosen.get_secret_value()
        )
        tasks = _Tasks(asyncio.get_running_loop().create_future())
        stack.push_async_callback(tasks.cancel)
        health = HealthRecorder(storage.store, storage.clock, node_id)
        dispatcher = await _dispatcher(stack, settings, storage, directories, health, node_id)
        intake = WebhookIntake(storage.store)
        await intake.load()
        runners = {
            consumer.group: Runner(consumer, storage.store.log, storage.store, storage.clock)
            for consumer in (dispatcher.consumer, intake.consumer)
        }
        resolver = ThreadPoolResolver()
        stack.push_async_callback(resolver.close)
        deliveries = await _deliveries(stack, settings, storage, directories, resolver)
        deliverer = Deliverer(deliveries, storage.store, storage.clock, DeliveryLimits())
        projector = Projector(storage.store.log, storage.read_models, storage.clock)
        watch = StreamWatch(storage.store.log)

        for name, follower in directories.followers.items():
            tasks.start(f"{name} directory", follower.run())
        for group, runner in runners.items():
            tasks.start(f"{group} consumer", runner.run())
        tasks.start("dispatcher", dispatcher.run())
        tasks.start("deliverer", deliverer.run())
        tasks.start("projector", projector.run())
        tasks.start("watch", watch.run())
        tasks.start("health", health.run())

        async def redrive(letter: DeadLetter) -> None:
            if letter.consumer not in runners:
                raise NotFound(f"no such consumer: {letter.consumer}")
            await runners[letter.consumer].redrive(letter)

        ports = ApiPorts(
            store=storage.store,
            source=storage.store.log,
            payloads=storage.payloads,
            secrets=storage.secrets,
            keys=directories.keys,
            keys_follower=directories.keys_follower,
            catalogue=catalogue,
            price_version=price_version,
            prices=directories.prices,
            read_models=storage.read_models,
            projector=projector,
            watch=watch,
            targets=PublicTargets(resolver, allow_private=settings.webhooks.allow_private_targets),
            webhooks=directories.webhooks,
            webhooks_follower=directories.webhooks_follower,
            pings=deliveries,
            clock=storage.clock,
            ids=storage.ids,
            limits=ApiLimits(),
            version=version("gatewayz"),
            node_id=node_id,
            providers=provider_objects(settings),
            redrive=redrive,
            health=tasks.states,
            readiness=lambda: _readiness(projector, tasks),
        )
        yield Engine(ports, dispatcher, new_admin_key, tasks.failed)
        await asyncio.gather(dispatcher.drain(), deliverer.drain())
        await health.flush()
        for runner in runners.values():
            runner.stop()
        projector.stop()
        ending = [tasks.running[f"{group} consumer"] for group in runners]
        await asyncio.wait([*ending, tasks.running["projector"]], timeout=5)


def _readiness(projector: Projector, tasks: _Tasks) -> Mapping[str, Any]:
    lags = {name: lag.milliseconds for name, lag in projector.lag().items()}
    stopped = [name for name, state in tasks.states().items() if state != "ok"]
    ready = not stopped and all(lag <= READY_LAG_MS for lag in lags.values())
    return {
        "ready": ready,
        "checks": {
            "event_store": "ok",
            "projection_lag_ms": lags,
            "stopped": stopped,
        },
    }


async def _dispatcher(
    stack: AsyncExitStack,
    settings: Settings,
    storage: Storage,
    directories: Directories,
    health: HealthRecorder,
    node_id: str,
) -> Dispatcher:
    session = HttpSession()
    stack.push_async_callback(session.close)
    attempts, dispatch = settings.attempts, settings.dispatch
    attempt_engine = AttemptEngine(
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
    ports = JobPorts(
        storage.store,
        storage.store.log,
        storage.payloads,
        attempt_engine,
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


async def _deliveries(
    stack: AsyncExitStack,
    settings: Settings,
    storage: Storage,
    directories: Directories,
    resolver: ThreadPoolResolver,
) -> Deliveries:
    sender = await stack.enter_async_context(
        AiohttpSender(
            resolver,
            user_agent=f"Gatewayz/{version('gatewayz')}",
            timeout=settings.webhooks.timeout,
            allow_private=settings.webhooks.allow_private_targets,
        )
    )
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
