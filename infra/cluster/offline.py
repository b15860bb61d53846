"""The stores of a cluster opened without a node: the log of either, and the read models."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.codec.events import EventCodec
from adapters.kafka.merged_log import KafkaStoredLog
from adapters.kafka.rows import KafkaRows
from adapters.postgres.reader import PostgresLogReader
from adapters.sql.engine import open_postgres
from adapters.sql.read_models import SqlReadModels
from domain.event_types import ALL_EVENTS
from infra.cluster.kafka import connection_of, topics_of
from infra.cluster.storage import database_url
from infra.settings import Settings


def stored_log(settings: Settings) -> PostgresLogReader:
    """The event store's log, for reading alone; to be closed. Raises `StoreUnavailable`."""
    codec, timeout = EventCodec(ALL_EVENTS), settings.postgres.connect_timeout
    return PostgresLogReader(database_url(settings), codec, timeout)


def shared_read_models(settings: Settings) -> SqlReadModels:
    """The read models of all nodes; nothing is connected yet."""
    return SqlReadModels(open_postgres(database_url(settings)))


def published_rows(settings: Settings) -> KafkaRows:
    """The bytes of the log as Kafka has it, without an event loop; to be closed."""
    return KafkaRows(connection_of(settings), topics_of(settings), EventCodec(ALL_EVENTS))


@asynccontextmanager
async def published_log(settings: Settings) -> AsyncIterator[KafkaStoredLog]:
    """The log as Kafka has it."""
    codec = EventCodec(ALL_EVENTS)
    log = KafkaStoredLog(connection_of(settings), topics_of(settings), codec)
    try:
        yield log
    finally:
        await log.close()
