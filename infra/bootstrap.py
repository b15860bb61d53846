"""The composition root of the embedded profile: which adapter stands behind which port."""

import asyncio
import random
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from adapters.crypto.answer_streams import SealedStreams
from adapters.memory.stream_buffers import MemoryStreamBuffers
from adapters.sqlite.event_store import SqliteEventStore
from api.app import create_app
from api.ports import ApiPorts
from domain.ports.stream_buffers import BufferBounds
from infra.api_ports import ApiParts, api_ports, prepare_to_serve
from infra.directories import load_directories
from infra.making import Basis
from infra.metrics import health_readings, job_readings, log_readings
from infra.offers import build_catalogue
from infra.on_sale import OnSale
from infra.settings import Settings
from infra.storage import open_embedded_storage
from infra.tasks import Tasks
from infra.vitals import Vitals
from infra.workforce import Workforce, build_workforce
from workers.dispatch import Dispatcher

# The event loop and the store's writer share the interpreter lock. At Python's default of 5 ms a
# commit beside a busy loop waits that long at each of its steps (decision 0002).
SWITCH_INTERVAL_SECONDS = 0.0005
# Generated; there is no Kafka here to ask.
ASYNCAPI_PAGE = Path(__file__).with_name("docs") / "asyncapi.json"


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine. `failed` ends when a part that must not end does."""

    ports: ApiPorts
    dispatcher: Dispatcher
    failed: asyncio.Future[None]

    @property
    def app(self) -> ASGIApp:
        """The HTTP application over it."""
        return create_app(self.ports)


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
    async with open_embedded_storage(settings) as storage:
        directories = await load_directories(storage)
        buffers = MemoryStreamBuffers(storage.clock, BufferBounds())
        streams = SealedStreams(buffers, storage.payloads)
        basis = Basis(settings, storage, directories, new_node_id(), streams)
        await prepare_to_serve(basis, show_admin_key)
        async with build_workforce(basis, storage.store) as workforce:
            tasks = Tasks()
            try:
                workforce.start(tasks, directories)
                on_sale = OnSale(settings, directories, catalogue)
                tasks.start("catalogue", on_sale.run())
                parts = _api_parts(storage.store, workforce, tasks)
                ports = api_ports(basis, on_sale, parts)
                yield Engine(ports, workforce.dispatcher, tasks.failed)
                await workforce.drain(tasks)
            finally:
                await tasks.cancel()


def new_node_id() -> str:
    """A name for this process, which no other has."""
    return f"{socket.gethostname()}-{random.randrange(16**6):06x}"  # noqa: S311 - a name


def _api_parts(store: SqliteEventStore, workforce: Workforce, tasks: Tasks) -> ApiParts:
    async def head() -> int:
        return store.log.head()  # this process records everything that there is

    return ApiParts(
        workforce.projector,
        workforce.watch,
        workforce.resolver,
        workforce.deliveries,
        workforce.interactive,
        workforce.routes,
        workforce.redrive,
        _vitals(store, workforce, tasks),
        head,
        ASYNCAPI_PAGE.read_bytes,
        workforce.sync,
    )


def _vitals(store: SqliteEventStore, workforce: Workforce, tasks: Tasks) -> Vitals:
    def consumers() -> Mapping[str, float]:
        head = store.log.head()
        return {runner.group: head - runner.position for runner in workforce.runners.values()}

    vitals = Vitals(
        tasks,
        workforce.counter.registry,
        store.is_available,
        workforce.projector,
        readings={
            **log_readings(store.log),
            **job_readings(workforce.dispatcher),
            **health_readings(workforce.health),
            "gatewayz_consumer_lag_positions": ("Events not handled.", "consumer", consumers),
        },
    )
    vitals.register()
    return vitals
