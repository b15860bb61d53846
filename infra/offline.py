"""An engine's stores opened without an engine: its log for reading, and its read models."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

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

__all__ = ["LogSource", "Offline", "OfflineLog", "StoredRow", "open_log", "open_read_models"]

LogSource = Literal["store", "kafka"]


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
    try:
        # Its libraries are not there in an embedded install.
        from infra.cluster.offline import stored_log  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise StoreUnavailable(
            f"{missing.name} is not installed: pip install 'gatewayz[cluster]'"
        ) from missing
    return stored_log(settings)
