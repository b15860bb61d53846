"""A data directory opened without an engine: its log for reading, and its read models."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager

from adapters.codec.events import EventCodec
from adapters.sql.engine import open_sqlite
from adapters.sql.read_models import SqlReadModels
from adapters.sqlite.reader import LogReader
from domain.event_types import ALL_EVENTS
from domain.ports.stored_rows import StoredRow
from infra.data_dir import DataDirectory
from infra.settings import Settings

__all__ = ["LogReader", "StoredRow", "open_log", "open_read_models"]


@contextmanager
def open_log(settings: Settings) -> Iterator[LogReader]:
    """The log, for reading alone; an engine may be at work beside. Raises `StoreUnavailable`."""
    path = DataDirectory(settings.data_dir).events
    with closing(LogReader(path, EventCodec(ALL_EVENTS))) as reader:
        yield reader


@asynccontextmanager
async def open_read_models(settings: Settings) -> AsyncIterator[tuple[SqlReadModels, LogReader]]:
    """The read models and the log they are folded from; an engine may be at work beside.

    Raises `StoreUnavailable` when there is no log.
    """
    with open_log(settings) as reader:
        read_models = SqlReadModels(open_sqlite(DataDirectory(settings.data_dir).read_models))
        try:
            yield read_models, reader
        finally:
            await read_models.close()
