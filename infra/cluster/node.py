"""What every node of the cluster has, whatever its role."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from adapters.crypto.answer_streams import SealedStreams
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.leadership import Leadership
from adapters.postgres.watchdog import end_stuck_transactions
from adapters.redis.connection import RedisConnection
from adapters.redis.ports import RedisPorts, redis_ports
from api.probes import create_probes
from domain.ports.stream_buffers import BufferBounds
from infra.api_ports import probes_of
from infra.bootstrap import SWITCH_INTERVAL_SECONDS, new_node_id
from infra.cluster.storage import database_url, open_cluster_storage
from infra.directories import Directories, load_directories
from infra.making import Basis
from infra.metrics import EventCounter, Readings, log_readings
from infra.settings import Settings
from infra.storage import Storage
from infra.tasks import Tasks
from infra.vitals import Followed, Vitals, nothing
from workers.helpers_health import HelpersHealth

# The signal that something was recorded.
LOG_MOVED = "log"


@dataclass(frozen=True, slots=True)
class Serving:
    """A node as its HTTP server sees it. `failed` ends when a part that must not end does."""

    app: ASGIApp
    failed: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """One process of the cluster. Roles start their work in `tasks`."""

    settings: Settings
    node_id: str
    storage: Storage[PostgresEventStore]
    helpers: RedisPorts | None
    tasks: Tasks
    registry: CollectorRegistry
    leaders: dict[str, Leadership] = field(default_factory=dict)

    def leadership(self, duty: str) -> Leadership:
        """The leadership of a duty, which nodes of the same topics share out among them."""
        scope = f"{self.settings.kafka.topic_prefix}/{duty}"
        made = self.leaders[duty] = Leadership(database_url(self.settings), scope)
        return made

    async def basis(self) -> Basis:
        """What workers are made of: the directories as the log has them now, and kept so."""
        directories: Directories = await load_directories(self.storage)
        self.tasks.start("directories", directories.run())
        streams = None
        if self.helpers is not None:  # the buffers of one process are no good to another
            streams = SealedStreams(self.helpers.stream_buffers, self.storage.payloads)
        return Basis(self.settings, self.storage, directories, self.node_id, streams)

    def vitals(
        self,
        *,
        read_models: Followed | None = None,
        lag_matters: bool = True,
        problems: Callable[[], Mapping[str, str]] = nothing,
        readings: Readings | None = None,
    ) -> Vitals:
        """The state of this process, with what its role adds."""
        helpers = self.helpers
        made = Vitals(
            self.tasks,
            self.registry,
            self.storage.store.is_available,
            read_models,
            lag_matters,
            lambda: {} if helpers is None else dict(helpers.states().items()),
            problems,
            readings={
                **log_readings(self.storage.store.log),
                **self._readings(),
                **(readings or {}),
            },
        )
        made.register()
        return made

    def serving(self, vitals: Vitals) -> Serving:
        """This process with nothing but its probes to be asked for."""
        return Serving(create_probes(probes_of(vitals)), self.tasks.failed)

    def _readings(self) -> Readings:
        def leaders() -> Mapping[str, float]:
            return {duty: float(one.is_leader) for duty, one in self.leaders.items()}

        def degraded() -> Mapping[str, float]:
            states = {} if self.helpers is None else self.helpers.states()
            return {name: float(state != "ok") for name, state in states.items()}

        return {
            **log_readings(self.storage.store.log),
            "gatewayz_leader": ("1 where the duty is done.", "duty", leaders),
            "gatewayz_helper_degraded": (
                "1 while this node uses its memory instead.",
                "helper",
                degraded,
            ),
        }


@asynccontextmanager
async def opened_node(settings: Settings, *, follows: bool = True) -> AsyncIterator[ClusterNode]:
    """Connects to everything; ends all tasks at the end.

    With `follows` it knows what is recorded in the store, else only how far the log is.

    Raises what `open_cluster_storage` does.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(open_cluster_storage(settings, follows=follows))
        tasks, node_id = Tasks(), new_node_id()
        helpers = await stack.enter_async_context(_helpers(settings, storage, tasks, node_id))
        # Before its connections are closed: to a task at work that would be a Redis that failed.
        stack.push_async_callback(tasks.cancel)
        tasks.start("log", storage.store.log.run())
        tasks.start("watchdog", end_stuck_transactions(storage.store.reader))
        registry = CollectorRegistry()
        if follows:
            tasks.start("metrics", EventCounter(storage.store.log, registry).run())
        yield ClusterNode(settings, node_id, storage, helpers, tasks, registry)


@asynccontextmanager
async def _helpers(
    settings: Settings, storage: Storage[PostgresEventStore], tasks: Tasks, node_id: str
) -> AsyncIterator[RedisPorts | None]:
    """Redis, if there is one; its signals wake the logs of all nodes."""
    url = settings.redis.url
    if url is None:
        yield None
        return
    connection = RedisConnection(
        url.get_secret_value(), settings.redis.prefix, settings.redis.timeout
    )
    health = HelpersHealth(storage.store, storage.clock, node_id)
    async with redis_ports(connection, storage.clock, health.changed, BufferBounds()) as helpers:
        helpers.signals.subscribe(LOG_MOVED, storage.store.log.wake)
        storage.store.tell(lambda: helpers.signals.wake(LOG_MOVED))
        tasks.start("helpers", helpers.run())
        tasks.start("helpers' health", health.run())
        yield helpers
