"""Which generations of which projections exist, how far each is, and which one is read.

Each function works within the caller's transaction.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    CreateView,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    func,
    inspect,
    select,
    update,
)
from sqlalchemy.schema import DropView

from adapters.sql.physical import physical_table
from domain.ports.read_models import Generation, GenerationState
from projections.folding import Projection

REGISTRY = Table(
    "projections",
    MetaData(),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("entry_id", Text),
    Column("state", Text, nullable=False),
    Column("error", Text),
    # Names, so that code which no longer knows the projection can drop its tables.
    Column("tables", Text, nullable=False),
)


# Built once: they run with every batch.
_COLUMNS = REGISTRY.c
_GENERATIONS = (
    select(
        _COLUMNS.name,
        _COLUMNS.version,
        _COLUMNS.generation,
        _COLUMNS.position,
        _COLUMNS.entry_id,
        _COLUMNS.state,
        _COLUMNS.error,
    )
    .where(_COLUMNS.state != "retired")
    .order_by(_COLUMNS.name, _COLUMNS.version, _COLUMNS.generation)
)
_ADVANCE = (
    update(REGISTRY)
    .where(
        _COLUMNS.name == bindparam("of_name"),
        _COLUMNS.version == bindparam("of_version"),
        _COLUMNS.generation == bindparam("of_number"),
    )
    .values(
        position=bindparam("position"), entry_id=bindparam("entry_id"), error=bindparam("error")
    )
)


def create_registry(connection: Connection) -> None:
    """Makes the registry unless it is there."""
    REGISTRY.create(connection, checkfirst=True)
    columns = {column["name"] for column in inspect(connection).get_columns(REGISTRY.name)}
    if "entry_id" not in columns:  # its generations cannot tell their log, and are folded anew
        connection.exec_driver_sql(f"ALTER TABLE {REGISTRY.name} ADD COLUMN entry_id TEXT")


def generations(connection: Connection) -> list[Generation]:
    """Every generation but the retired ones, oldest first within a name."""
    return [Generation(*row) for row in connection.execute(_GENERATIONS)]


def create(connection: Connection, projection: Projection) -> Generation:
    """A new generation with empty tables."""
    last = select(func.coalesce(func.max(_COLUMNS.generation), 0)).where(
        _COLUMNS.name == projection.name, _COLUMNS.version == projection.version
    )
    number = connection.execute(last).scalar_one() + 1
    made = Generation(projection.name, projection.version, number, 0, None, "building")
    tables = [physical_table(table, made) for table in projection.tables]
    for table in tables:
        table.create(connection)
    names = json.dumps([table.name for table in tables])
    row = {
        "name": made.name,
        "version": made.version,
        "generation": made.number,
        "position": 0,
        "state": made.state,
        "tables": names,
    }
    connection.execute(REGISTRY.insert(), row)
    return made


def advance(connection: Connection, generations: Sequence[Generation]) -> None:
    """Records how far the generations are, and why they went no further."""
    if generations:
        connection.execute(_ADVANCE, [_place(generation) for generation in generations])


def _place(generation: Generation) -> dict[str, Any]:
    return {
        "of_name": generation.name,
        "of_version": generation.version,
        "of_number": generation.number,
        "position": generation.position,
        "entry_id": generation.entry_id,
        "error": generation.error,
    }


def retry(connection: Connection) -> None:
    """Gives every stopped generation another chance."""
    connection.execute(update(REGISTRY).where(_COLUMNS.error.is_not(None)).values(error=None))


def set_state(connection: Connection, generation: Generation, state: GenerationState) -> None:
    connection.execute(update(REGISTRY).where(_is(generation)).values(state=state))


def point_views(connection: Connection, projection: Projection, generation: Generation) -> None:
    """Makes the logical names of the projection's tables mean this generation's."""
    for table in projection.tables:
        view = _view(table, generation)
        connection.execute(DropView(view.table, if_exists=True))
        connection.execute(view)


def drop_views(connection: Connection, projection: Projection, generation: Generation) -> None:
    """Takes the logical names away, which are this generation's."""
    for table in projection.tables:
        connection.execute(DropView(_view(table, generation).table, if_exists=True))


def drop_retired(connection: Connection) -> None:
    """Drops the tables of retired generations; they keep their numbers."""
    retired = _COLUMNS.state == "retired"
    listings = connection.execute(select(_COLUMNS.tables).where(retired)).scalars().all()
    for listed in listings:
        for name in json.loads(listed):
            Table(name, MetaData()).drop(connection, checkfirst=True)
    connection.execute(update(REGISTRY).where(retired).values(tables="[]"))


def _view(table: Table, generation: Generation) -> CreateView:
    return CreateView(select(physical_table(table, generation)), table.name)


def _is(generation: Generation) -> ColumnElement[bool]:
    return (
        (_COLUMNS.name == generation.name)
        & (_COLUMNS.version == generation.version)
        & (_COLUMNS.generation == generation.number)
    )
