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

from adapters.sql.layout import layout_of
from domain.ports.read_models import Generation, GenerationState, ReadModelUnavailable
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
    # What the layout made, so that code which no longer knows the projection can drop it.
    Column("tables", Text, nullable=False),
)
NOTHING_LEFT = "[]"


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
    layout_of(connection).make_home(connection)
    REGISTRY.create(connection, checkfirst=True)
    columns = {column["name"] for column in inspect(connection).get_columns(REGISTRY.name)}
    if "entry_id" not in columns:  # its generations cannot tell their log, and are folded anew
        connection.exec_driver_sql(f"ALTER TABLE {REGISTRY.name} ADD COLUMN entry_id TEXT")


def generations(connection: Connection) -> list[Generation]:
    """Every generation but the retired ones, oldest first within a name."""
    return [Generation(*row) for row in connection.execute(_GENERATIONS)]


def look(connection: Connection) -> dict[str, int]:
    """How far the active generations are, which the logical names mean in this transaction."""
    rows = connection.exec_driver_sql(layout_of(connection).looking)
    return {row.name: row.position for row in rows}


def position_of(connection: Connection, generation: Generation) -> int:
    """How far the generation is. Raises `ReadModelUnavailable` when it is retired."""
    for one in generations(connection):
        if one.key == generation.key:
            return one.position
    raise ReadModelUnavailable(f"{generation.name}: another generation has taken its place")


def create(connection: Connection, projection: Projection) -> Generation:
    """A new generation with empty tables."""
    last = select(func.coalesce(func.max(_COLUMNS.generation), 0)).where(
        _COLUMNS.name == projection.name, _COLUMNS.version == projection.version
    )
    number = connection.execute(last).scalar_one() + 1
    made = Generation(projection.name, projection.version, number, 0, None, "building")
    row = {
        "name": made.name,
        "version": made.version,
        "generation": made.number,
        "position": 0,
        "state": made.state,
        "tables": json.dumps(layout_of(connection).create(connection, projection, made)),
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


def activate(
    connection: Connection,
    projection: Projection,
    generation: Generation,
    replaced: Sequence[Generation],
) -> None:
    """Makes the logical names of the projection's tables mean this generation's."""
    for other in replaced:
        _set_state(connection, other, "retired")
    _set_state(connection, generation, "active")
    layout_of(connection).show(connection, projection, generation)


def retire(connection: Connection, projection: Projection, generation: Generation) -> None:
    """Takes the logical names away if they are this generation's; its tables can be dropped."""
    _set_state(connection, generation, "retired")
    if generation.is_active:
        layout_of(connection).hide(connection, projection)


def drop_retired(connection: Connection) -> None:
    """Drops the tables of retired generations; they keep their numbers.

    Those that somebody still reads, or that another process drops just now, are left alone.
    """
    undropped = select(REGISTRY).where(_COLUMNS.state == "retired", _COLUMNS.tables != NOTHING_LEFT)
    for row in connection.execute(undropped.with_for_update(skip_locked=True)).all():
        if layout_of(connection).drop(connection, json.loads(row.tables)):
            dropped = update(REGISTRY).where(_is(row.name, row.version, row.generation))
            connection.execute(dropped.values(tables=NOTHING_LEFT))


def _set_state(connection: Connection, generation: Generation, state: GenerationState) -> None:
    connection.execute(update(REGISTRY).where(_is(*generation.key)).values(state=state))


def _is(name: str, version: int, number: int) -> ColumnElement[bool]:
    return (_COLUMNS.name == name) & (_COLUMNS.version == version) & (_COLUMNS.generation == number)
