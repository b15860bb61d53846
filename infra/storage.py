"""What the embedded profile keeps on disk, opened together and closed in order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass

from adapters.blobs.files import FileBlobs
from adapters.codec.events import EventCodec
from adapters.crypto.api_keys import KeyedSecrets
from adapters.crypto.master_key import MasterKey
from adapters.crypto.payloads import SealedPayloads
from adapters.sql.engine import open_sqlite
from adapters.sql.read_models import SqlReadModels
from adapters.sqlite.data_keys import SqliteDataKeys
from adapters.sqlite.event_store import SqliteEventStore
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.event_types import ALL_EVENTS
from infra.data_dir import DataDirectory
from infra.settings import Settings


@dataclass(frozen=True, slots=True)
class Storage:
    """The stores of one data directory."""

    clock: SystemClock
    ids: TimeOrderedIds
    store: SqliteEventStore
    payloads: SealedPayloads
    secrets: KeyedSecrets
    read_models: SqlReadModels


@asynccontextmanager
async def open_storage(settings: Settings) -> AsyncIterator[Storage]:
    """Opens the data directory for this process alone.

    Raises `DataDirectoryInUse` and `MasterKeyProblem`.
    """
    directory = DataDirectory(settings.data_dir)
    clock, ids = SystemClock(), TimeOrderedIds()
    async with AsyncExitStack() as stack:
        stack.enter_context(directory.locked())
        master = _master_key(settings)
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
        _master_key(settings)


def _master_key(settings: Settings) -> MasterKey:
    if settings.master_key is not None:
        return MasterKey.from_base64(settings.master_key.get_secret_value())
    return MasterKey.from_file(settings.master_key_path)
