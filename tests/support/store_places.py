"""Where an event store may be kept: a SQLite file or a PostgreSQL database, opened and damaged."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    closing,
    contextmanager,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from adapters.codec.events import EventCodec
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.migrating import migrate
from adapters.postgres.recorder import Datastore
from adapters.sqlite.event_store import SqliteEventStore
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.event_types import ALL_EVENTS
from tests.support import services
from tests.support.stores import opened_store

AnyStore = SqliteEventStore | PostgresEventStore
Execute = Callable[[str], Any]


class StorePlace(Protocol):
    """A place that outlives the stores which are opened on it."""

    def opened(self) -> AbstractAsyncContextManager[AnyStore]: ...

    def beside(self) -> AbstractContextManager[Execute]:
        """A connection of somebody else's, each statement its own transaction."""
        ...


@dataclass(frozen=True)
class SqlitePlace:
    """A file."""

    path: Path

    def opened(self) -> AbstractAsyncContextManager[SqliteEventStore]:
        return opened_store(self.path)

    @contextmanager
    def beside(self) -> Iterator[Execute]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            yield connection.execute


@dataclass(frozen=True)
class PostgresPlace:
    """A database."""

    url: str

    def opened(self) -> AbstractAsyncContextManager[PostgresEventStore]:
        return opened_postgres_store(self.url)

    @contextmanager
    def beside(self) -> Iterator[Execute]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            yield lambda sql: connection.execute(sql.encode())


@asynccontextmanager
async def opened_postgres_store(
    url: str, connect_timeout: float = 5.0
) -> AsyncIterator[PostgresEventStore]:
    """The store of this database, without its tail; closed afterwards."""
    with closing(Datastore(url, 4, connect_timeout)) as datastore:
        codec = EventCodec(ALL_EVENTS)
        store = PostgresEventStore(datastore, codec, SystemClock(), TimeOrderedIds())
        try:
            yield store
        finally:
            await store.close()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: services.Server) -> Iterator[str]:
    """The name of a database with our tables, to be copied."""
    with services.fresh_database(postgres_server) as url:
        migrate(url)
        yield url.rpartition("/")[2]


@pytest.fixture
def store_url(postgres_server: services.Server, migrated_template: str) -> Iterator[str]:
    """A database of the test's own, with our tables."""
    with services.fresh_database(postgres_server, migrated_template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> StorePlace:
    """Each place in turn."""
    if request.param == "sqlite":
        return SqlitePlace(tmp_path / "events.db")
    return PostgresPlace(request.getfixturevalue("store_url"))
