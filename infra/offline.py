"""An engine's stores opened without an engine: its log for reading, and its read models."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
)
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from adapters.codec.events import EventCodec
from adapters.sql.engine import open_sqlite
from adapters.sql.read_models import SqlReadModels
from adapters.sqlite.reader import LogReader
from domain.billing.wallet import Wallet
from domain.errors import StoreUnavailable
from domain.event_types import ALL_EVENTS
from domain.ports.event_store import LogEntry
from domain.ports.read_models import StoredLog
from domain.ports.stored_rows import StoredRow, StoredRows
from infra.data_dir import DataDirectory
from infra.settings import Settings

if TYPE_CHECKING:
    from adapters.kafka.rows import KafkaRows

__all__ = [
    "LogSource",
    "Offline",
    "OfflineLog",
    "StoredRow",
    "open_log",
    "open_partitions",
    "open_read_models",
    "open_rows",
]

LogSource = Literal["kafka", "store"]


class OfflineLog(StoredLog, StoredRows, Protocol):
    """The event store's log and wallets. Every method may raise `StoreUnavailable`."""

    def entries(self, after: int, limit: int) -> list[LogEntry]: ...

    def wallets(self) -> Mapping[str, Wallet]: ...

    def snapshot(self) -> AbstractContextManager[None]:
        """What is read inside is of one instant."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Offline:
    """The read models, the event store's log, and the log that is replayed: that or Kafka's."""

    read_models: SqlReadModels
    log: OfflineLog
    replayed: StoredLog


@contextmanager
def open_log(settings: Settings) -> Iterator[OfflineLog]:
    """The event store's log, for reading alone; an engine may be at work beside.

    Raises `StoreUnavailable`.
    """
    reader = _embedded_log(settings) if settings.profile == "embedded" else _cluster_log(settings)
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def open_rows(settings: Settings, source: LogSource | None = None) -> Iterator[StoredRows]:
    """The log to replay or export: in the cluster profile Kafka's when nothing is said.

    Raises `StoreUnavailable`.
    """
    if settings.profile == "embedded" or source == "store":
        with open_log(settings) as reader:
            yield reader
        return
    with open_partitions(settings) as rows:
        yield rows


@contextmanager
def open_partitions(settings: Settings) -> "Iterator[KafkaRows]":
    """The log as Kafka has it, each partition by itself too. Raises `StoreUnavailable`."""
    with closing(_published_rows(settings)) as rows:
        yield rows


@asynccontextmanager
async def open_read_models(
    settings: Settings, source: LogSource | None = None
) -> AsyncIterator[Offline]:
    """The read models and the log they are folded from; an engine may be at work beside.

    `source` is the log to replay: Kafka in the cluster profile when nothing is said. Raises
    `StoreUnavailable` when there is no log.
    """
    async with AsyncExitStack() as stack:
        log = stack.enter_context(open_log(settings))
        replayed: StoredLog = log
        if settings.profile == "embedded":
            read_models = SqlReadModels(open_sqlite(DataDirectory(settings.data_dir).read_models))
        else:
            from infra.cluster.offline import published_log, shared_read_models  # noqa: PLC0415

            read_models = shared_read_models(settings)
            if source != "store":
                replayed = await stack.enter_async_context(published_log(settings))
        stack.push_async_callback(read_models.close)
        yield Offline(read_models, log, replayed)


def _embedded_log(settings: Settings) -> OfflineLog:
    return LogReader(DataDirectory(settings.data_dir).events, EventCodec(ALL_EVENTS))


def _cluster_log(settings: Settings) -> OfflineLog:
    with _installed():
        from infra.cluster.offline import stored_log  # noqa: PLC0415
    return stored_log(settings)


def _published_rows(settings: Settings) -> "KafkaRows":
    with _installed():
        from infra.cluster.offline import published_rows  # noqa: PLC0415
    return published_rows(settings)


@contextmanager
def _installed() -> Iterator[None]:
    """Says what to install: the cluster's libraries are not there in an embedded install."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise StoreUnavailable(
            f"{missing.name} is not installed: pip install 'gatewayz[cluster]'"
        ) from missing
