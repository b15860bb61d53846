"""The storage of a node of the cluster: PostgreSQL, and S3 or a shared folder for the blobs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing

from adapters.blobs.files import FileBlobs
from adapters.blobs.s3 import Bucket, S3Blobs, S3Key
from adapters.codec.events import EventCodec
from adapters.crypto.api_keys import KeyedSecrets
from adapters.crypto.payloads import SealedPayloads
from adapters.postgres.data_keys import PostgresDataKeys
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.migrating import migrate
from adapters.postgres.recorder import Datastore
from adapters.sql.engine import open_postgres
from adapters.sql.read_models import SqlReadModels
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.event_types import ALL_EVENTS
from domain.ports.blobs import BlobStore
from infra.data_dir import DataDirectory
from infra.settings import Settings
from infra.storage import Storage, master_key


def database_url(settings: Settings) -> str:
    """The event store's address; the cluster profile has one."""
    url = settings.postgres.url
    if url is None:
        raise ValueError("postgres.url is not set")
    return url.get_secret_value()


@asynccontextmanager
async def open_cluster_storage(
    settings: Settings, *, follows: bool = True
) -> AsyncIterator[Storage[PostgresEventStore]]:
    """Brings the schema up to date and connects; `follows` as the store has it.

    Raises `SchemaProblem`, `StoreUnavailable`, `MasterKeyProblem` and `S3Problem`.
    """
    url = database_url(settings)
    clock, ids = SystemClock(), TimeOrderedIds()
    master = master_key(settings)
    await asyncio.to_thread(migrate, url)
    blobs = await open_blobs(settings)
    async with AsyncExitStack() as stack:
        datastore = stack.enter_context(
            closing(Datastore(url, settings.postgres.pool_size, settings.postgres.connect_timeout))
        )
        read_models = SqlReadModels(open_postgres(url))
        stack.push_async_callback(read_models.close)
        store = PostgresEventStore(
            datastore,
            EventCodec(ALL_EVENTS),
            clock,
            ids,
            poll_seconds=settings.postgres.poll_interval,
            follows=follows,
        )
        stack.push_async_callback(store.close)
        keys = PostgresDataKeys(datastore.pool, master, clock)
        yield Storage(
            clock, ids, store, SealedPayloads(keys, blobs, ids), KeyedSecrets(master), read_models
        )


async def open_blobs(settings: Settings) -> BlobStore:
    """The bucket, once it has proved usable, or the folder that all nodes share."""
    s3 = settings.blobs.s3
    if s3 is None:
        return FileBlobs(DataDirectory(settings.data_dir).blobs, settings.storage.durability)
    key = None
    if s3.access_key_id is not None and s3.secret_access_key is not None:
        key = S3Key(s3.access_key_id.get_secret_value(), s3.secret_access_key.get_secret_value())
    blobs = S3Blobs(Bucket(s3.bucket, s3.endpoint, s3.region, key, s3.prefix))
    await blobs.check()
    return blobs
