"""What a node keeps its events, payloads and read models in, opened together, closed in order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from adapters.blobs.files import FileBlobs
from adapters.codec.events import EventCodec
from adapters.crypto.api_keys import KeyedSecrets
from adapters.crypto.master_key import MasterKey
from adapters.crypto.payloads import SealedPayloads
from adapters.sql.engine import open_sqlite
from adapters.sql.read_models import SqlReadModels
from adapters.sqlite.data_keys import SqliteDataKeys
from adapters.sqlite.event_store import SqliteEventStore
from adapters.store.recent_log import RecentLog
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.event_types import ALL_EVENTS
from domain.ports.event_store import EventStore
from domain.ports.work_queue import WorkRows
from infra.data_dir import DataDirectory
from infra.settings import Settings


class NodeStore(EventStore, WorkRows, Protocol):
    """An event store, and this node's view of its log."""

    @property
    def log(self) -> RecentLog: ...

    def is_available(self) -> bool: ...


S_co = TypeVar("S_co", bound=NodeStore, covariant=True)


@dataclass(frozen=True, slots=True)
class Storage(Generic[S_co]):
    """The stores of one node."""

    clock: SystemClock
    ids: TimeOrderedIds
    store: S_co
    payloads: SealedPayloads
    secrets: KeyedSecrets
    read_models: SqlReadModels


@asynccontextmanager
async def open_storage(settings: Settings) -> AsyncIterator[Storage[NodeStore]]:
    """The storage of the settings' profile. Raises what the opening of either does."""
    if settings.profile == "embedded":
        async with open_embedded_storage(settings) as embedded:
            yield embedded
    else:
        # Its libraries are not there in an embedded install.
        from infra.cluster.storage import open_cluster_storage  # noqa: PLC0415

        async with open_cluster_storage(settings) as shared:
            yield shared


@asynccontextmanager
async def open_embedded_storage(settings: Settings) -> AsyncIterator[Storage[SqliteEventStore]]:
    """Opens the data directory for this process alone.

    Raises `DataDirectoryInUse` and `MasterKeyProblem`.
    """
    directory = DataDirectory(settings.data_dir)
    clock, ids = SystemClock(), TimeOrderedIds()
    async with AsyncExitStack() as stack:
        stack.enter_context(directory.locked())
        master = master_key(settings)
        keys = stack.enter_context(closing(SqliteDataKeys(directory.keys, master, clock)))
        blobs = FileBlobs(directory.blobs, settings.storage.durability)
        read_models = SqlReadModels(open_sqlite(directory.read_models))
        stack.push_async_callback(read_models.close)
        store = SqliteEventStore(
            directory.events, EventCodec(ALL_EVENTS), clock, ids, settings.storage.durability
        )
        stack.push_async_callback(store.close)
        yield Storage(
            clock,
            ids,
            store,
            SealedPayloads(keys, blobs, ids),
            KeyedSecrets(master),
            read_models,
        )


def check_master_key(settings: Settings) -> None:
    """Raises `MasterKeyProblem` unless the master key can be used; makes no file."""
    if settings.master_key is not None or settings.master_key_path.exists():
        master_key(settings)


def master_key(settings: Settings) -> MasterKey:
    """The master key that the settings name. Raises `MasterKeyProblem`."""
    if settings.master_key is not None:
        return MasterKey.from_base64(settings.master_key.get_secret_value())
    return MasterKey.from_file(settings.master_key_path)
