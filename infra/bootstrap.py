"""The composition root: which adapter stands behind which port, in the embedded profile."""

import asyncio
import random
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from adapters.webhooks.targets import PublicTargets
from api.ports import ApiLimits, ApiPorts
from domain.access.opening import OpeningPorts
from domain.catalog.catalogue import Catalogue
from infra.directories import Directories, load_directories, publish_prices
from infra.first_admin import ensure_admin
from infra.metrics import Gauges, exposition
from infra.offers import build_catalogue, provider_objects
from infra.settings import Settings
from infra.storage import Storage, open_storage
from infra.tasks import Tasks
from infra.version import VERSION
from infra.workforce import Workforce, build_workforce
from workers.dispatch import Dispatcher

# The event loop and the store's writer share the interpreter lock. At Python's default of 5 ms a
# commit beside a busy loop waits that long at each of its steps (decision 0002).
SWITCH_INTERVAL_SECONDS = 0.0005
# A read model further behind than this makes the node unready.
READY_LAG_MS = 10_000


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine. `failed` ends when a part that must not end does."""

    ports: ApiPorts
    dispatcher: Dispatcher
    failed: asyncio.Future[None]


@asynccontextmanager
async def engine(
    settings: Settings, show_admin_key: Callable[[str], None]
) -> AsyncIterator[Engine]:
    """Starts the engine on the settings' data directory and ends it gently.

    `show_admin_key` gets the administrator's key on the start that makes one, before anything
    else can fail.

    Raises `DataDirectoryInUse`, `MasterKeyProblem` and `InvalidCatalogue` before anything runs.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    catalogue = build_catalogue(settings)
    node_id = f"{socket.gethostname()}-{random.randrange(16**6):06x}"  # noqa: S311 - a name
    async with open_storage(settings) as storage:
        directories = await load_directories(storage)
        price_version = await publish_prices(storage, catalogue, directories.prices)
        await _ensure_admin(settings, storage, directories, show_admin_key)
        await directories.keys_follower.load()  # so that the first request may be its
        async with build_workforce(settings, storage, directories, node_id) as workforce:
            tasks = Tasks()
            try:
                workforce.start(tasks, directories)
                node = _Node(settings, storage, directories, workforce, tasks, node_id)
                ports = _ports(node, catalogue, price_version)
                yield Engine(ports, workforce.dispatcher, tasks.failed)
                await workforce.drain(tasks)
            finally:
                await tasks.cancel()


@dataclass(frozen=True, slots=True)
class _Node:
    settings: Settings
    storage: Storage
    directories: Directories
    workforce: Workforce
    tasks: Tasks
    node_id: str


async def _ensure_admin(
    settings: Settings,
    storage: Storage,
    directories: Directories,
    show: Callable[[str], None],
) -> None:
    chosen = settings.bootstrap_admin_key
    await ensure_admin(
        OpeningPorts(storage.store, storage.payloads, storage.secrets, storage.clock, storage.ids),
        directories.keys,
        None if chosen is None else chosen.get_secret_value(),
        show,
    )


def _ports(node: _Node, catalogue: Catalogue, price_version: str) -> ApiPorts:
    storage, directories, workforce = node.storage, node.directories, node.workforce
    registry = workforce.counter.registry
    registry.register(_gauges(node))
    private = node.settings.webhooks.allow_private_targets
    return ApiPorts(
        store=storage.store,
        source=storage.store.log,
        payloads=storage.payloads,
        secrets=storage.secrets,
        keys=directories.keys,
        keys_follower=directories.keys_follower,
        catalogue=catalogue,
        price_version=price_version,
        read_models=storage.read_models,
        projector=workforce.projector,
        watch=workforce.watch,
        targets=PublicTargets(workforce.resolver, allow_private=private),
        webhooks=directories.webhooks,
        webhooks_follower=directories.webhooks_follower,
        pings=workforce.deliveries,
        clock=storage.clock,
        ids=storage.ids,
        limits=ApiLimits(),
        version=VERSION,
        providers=provider_objects(node.settings),
        redrive=workforce.redrive,
        health=partial(_health, node),
        readiness=partial(_readiness, node),
        metrics=partial(exposition, registry),
    )


def _health(node: _Node) -> Mapping[str, str]:
    """Each part and each stopped read model: "ok", or what it is instead."""
    stopped = node.workforce.projector.stopped()
    return {**_parts(node), **{f"{name} read model": "stopped" for name in stopped}}


def _parts(node: _Node) -> Mapping[str, str]:
    """What the node cannot serve without."""
    store = "ok" if node.storage.store.is_available() else "unavailable"
    return {"event_store": store, **node.tasks.states()}


def _readiness(node: _Node) -> Mapping[str, Any]:
    lags = {name: lag.milliseconds for name, lag in node.workforce.projector.lag().items()}
    parts = _parts(node)
    failing = [part for part, state in parts.items() if state != "ok"]
    return {
        "ready": not failing and all(lag <= READY_LAG_MS for lag in lags.values()),
        "checks": {
            "event_store": parts["event_store"],
            "projection_lag_ms": lags,
            "projections_stopped": sorted(node.workforce.projector.stopped()),
            "failing": failing,
        },
    }


def _gauges(node: _Node) -> Gauges:
    workforce, source = node.workforce, node.storage.store.log

    def lags() -> Mapping[str, float]:
        return {name: lag.positions for name, lag in workforce.projector.lag().items()}

    def stopped() -> Mapping[str, float]:
        return dict.fromkeys(workforce.projector.stopped(), 1)

    def consumers() -> Mapping[str, float]:
        head = source.head()
        return {runner.group: head - runner.position for runner in workforce.runners.values()}

    return Gauges(
        {
            "gatewayz_log_head_position": (
                "The last position of the log.",
                "log",
                lambda: {"events": source.head()},
            ),
            "gatewayz_jobs_running": (
                "Jobs that run in this process.",
                "worker",
                lambda: {"dispatch": workforce.dispatcher.running},
            ),
            "gatewayz_projection_lag_positions": ("Events not folded.", "projection", lags),
            "gatewayz_projection_stopped": ("1 once it cannot go on.", "projection", stopped),
            "gatewayz_consumer_lag_positions": ("Events not handled.", "consumer", consumers),
        }
    )
