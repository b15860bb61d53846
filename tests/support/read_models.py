"""Read models over a simulated log, on a file or a database of the test's own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Table, select

from adapters.sql.engine import open_postgres, open_sqlite
from adapters.sql.layout import layout_of
from adapters.sql.read_models import SqlReadModels
from adapters.sql.snapshot import snapshot
from domain.ports.event_store import LogEntry
from domain.ports.read_models import Generation
from projections.catalogue import PROJECTIONS
from projections.folding import Projection, Row, fold_entries
from tests.support.simulated_log import SimulatedLog


class StoredSimulation:
    """The simulated log as `StoredLog`."""

    def __init__(self, log: SimulatedLog) -> None:
        self._log = log

    async def read_log(self, after: int, limit: int) -> Sequence[LogEntry]:
        return await self._log.read(after, limit)

    async def head(self) -> int:
        return self._log.head()


# A SQLite file, or the URL of a PostgreSQL database.
Place = Path | str
PLACES = ("sqlite", "postgres")


def place_of(request: pytest.FixtureRequest, folder: Path) -> Place:
    """A place of the test's own, of the kind that a fixture's parameter names."""
    if request.param == "sqlite":
        return folder / "read_models.db"
    return str(request.getfixturevalue("database_url"))


def engine_on(place: Place) -> Engine:
    """The database of the read models on `place`."""
    return open_sqlite(place, disposable=True) if isinstance(place, Path) else open_postgres(place)


@asynccontextmanager
async def opened(
    place: Place, projections: Sequence[Projection] = PROJECTIONS
) -> AsyncIterator[SqlReadModels]:
    """Read models on `place`, not yet prepared."""
    read_models = SqlReadModels(engine_on(place), projections)
    try:
        yield read_models
    finally:
        await read_models.close()


async def fold_all(read_models: SqlReadModels, entries: Sequence[LogEntry], batch: int) -> None:
    """Prepares and activates every projection and applies `entries` in batches of `batch`."""
    generations = await read_models.prepare()
    for start in range(0, len(entries), batch):
        generations = await read_models.apply(generations, entries[start : start + batch])
    for generation in generations:
        if not generation.is_active:
            await read_models.activate(generation)


def all_rows(read_models: SqlReadModels) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, in the order of the primary keys."""
    tables = [t for p in read_models.projections.values() for t in p.tables]
    with snapshot(read_models.engine) as seen:
        return {
            table.name: [
                dict(row) for row in seen.rows(select(table).order_by(*table.primary_key.columns))
            ]
            for table in tables
        }


def physical(read_models: SqlReadModels, table: Table, generation: Generation) -> Table:
    """The table that holds the generation's rows."""
    return layout_of(read_models.engine).table(table, generation)


class MemoryRows:
    """`Rows` in dictionaries, for folds without a database."""

    def __init__(self, projection: Projection) -> None:
        self._key_names = {
            t.name: tuple(column.name for column in t.primary_key.columns)
            for t in projection.tables
        }
        self.tables: dict[str, dict[Any, Row]] = {name: {} for name in self._key_names}

    def get(self, table: str, key: str) -> Row | None:
        return self.tables[table].get((key,))

    def put(self, table: str, row: Row) -> None:
        self.tables[table][tuple(row[name] for name in self._key_names[table])] = row

    def delete(self, table: str, key: str) -> None:
        del self.tables[table][(key,)]


def folded(projection: Projection, entries: Sequence[LogEntry]) -> MemoryRows:
    """The rows of `entries`; every entry can be folded."""
    rows = MemoryRows(projection)
    stop = fold_entries(projection, rows, entries)
    assert stop is None, stop
    return rows
