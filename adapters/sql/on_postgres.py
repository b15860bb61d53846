"""The read models in PostgreSQL: a schema of its own for each generation, and search paths.

`read_model_jobs_v1_g1.jobs` is a physical table. A transaction that reads finds it as `jobs`: its
search path is made of the schemas of the generations that are active in its own snapshot. So a
swap changes one row of the registry, no name in the catalogue, and waits for no reader: a view
would lead an older snapshot to rows that it cannot see.

The registry stands in the schema `read_models`, apart from the event store's tables, which have
some names in common. All of it can be dropped at any time.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import ARRAY, Connection, MetaData, Table, Text, any_, bindparam, delete, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateSchema, DropSchema

from adapters.sql.texts import storable_rows
from domain.ports.read_models import Generation
from projections.folding import Projection, Row

HOME = "read_models"
REGISTRY = "projections"
# Its holder makes the registry. The number is "gwzr" in ASCII.
HOME_LOCK = 0x67777A72
# A reader that takes longer keeps a retired generation alive until another is dropped.
DROP_PATIENCE = "100ms"
LOCK_NOT_AVAILABLE = "55P03"
LOOKING = f"""
SELECT name, position, set_config(
    'search_path', concat_ws(',', string_agg(tables::json ->> 0, ',') OVER (), '{HOME}'), true
) FROM {REGISTRY} WHERE state = 'active'
"""  # noqa: S608 - constants
NUL_IN_JSON = b"\\u0000"
# In one order for all processes, so that they never wait for each other in a circle.
LOCK_GENERATIONS = f"""
SELECT FROM {REGISTRY} AS one
JOIN unnest(%s::text[], %s::int[], %s::int[]) AS wanted (name, version, generation)
    USING (name, version, generation)
ORDER BY name, version, generation FOR UPDATE OF one
"""


class PostgresLayout:
    """`Layout` for PostgreSQL."""

    looking = LOOKING

    def table(self, table: Table, generation: Generation) -> Table:
        return table.to_metadata(MetaData(), schema=_schema(generation))

    def rows(self, table: Table) -> "PostgresRows":
        return PostgresRows(table)

    def make_home(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({HOME_LOCK})")
        # Asked for by IF NOT EXISTS, the right to make one would be needed even where it is there.
        found = connection.exec_driver_sql(f"SELECT to_regnamespace('{HOME}')").scalar_one()
        if found is None:
            connection.execute(CreateSchema(HOME))

    def alone(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"LOCK TABLE {REGISTRY} IN EXCLUSIVE MODE")

    def lock(self, connection: Connection, keys: Collection[tuple[str, int, int]]) -> None:
        names, versions, numbers = zip(*keys, strict=True) if keys else ((), (), ())
        locking = (list(names), list(versions), list(numbers))
        connection.exec_driver_sql(LOCK_GENERATIONS, locking)

    def take_time(self, connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")

    def create(
        self, connection: Connection, projection: Projection, generation: Generation
    ) -> Sequence[str]:
        schema = _schema(generation)
        # One by this name is there when the registry alone was dropped.
        connection.execute(DropSchema(schema, cascade=True, if_exists=True))
        connection.execute(CreateSchema(schema))
        for table in projection.tables:
            self.table(table, generation).create(connection, checkfirst=False)
        return [schema]

    def drop(self, connection: Connection, names: Sequence[str]) -> bool:
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{DROP_PATIENCE}'")
                for schema in names:
                    connection.execute(DropSchema(schema, cascade=True, if_exists=True))
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            return False
        return True

    def show(self, connection: Connection, projection: Projection, generation: Generation) -> None:
        """Its state in the registry does."""

    def hide(self, connection: Connection, projection: Projection) -> None:
        """The states in the registry do."""


class PostgresRows:
    """`TableRows` for PostgreSQL: one statement and one parameter for any number of rows.

    The rows go as one JSON text, which takes the server a little longer than a COPY to a
    temporary table would, and this process a twentieth of what parameters for each value would.
    """

    def __init__(self, table: Table) -> None:
        keys = [column.name for column in table.primary_key.columns]
        self.key_of: Callable[[Row], Any] = itemgetter(*keys)
        is_one = table.columns[keys[0]] == any_(bindparam("keys", type_=ARRAY(Text)))
        self._select = select(table).where(is_one)
        self._delete = delete(table).where(is_one)
        self._upsert = _upsert_text(table)

    def upsert(self, connection: Connection, rows: Sequence[Row]) -> None:
        encoded = msgspec.json.encode(rows)
        if NUL_IN_JSON in encoded:
            encoded = msgspec.json.encode(storable_rows(rows, self.key_of))
        if rows:
            connection.exec_driver_sql(self._upsert, (encoded.decode(),))

    def load(self, connection: Connection, keys: Sequence[str]) -> Iterator[Row]:
        if keys:
            for row in connection.execute(self._select, {"keys": keys}).mappings():
                yield dict(row)

    def delete(self, connection: Connection, keys: Sequence[str]) -> None:
        if keys:
            connection.execute(self._delete, {"keys": keys})


def _schema(generation: Generation) -> str:
    return f"read_model_{generation.name}_v{generation.version}_g{generation.number}"


def _upsert_text(table: Table) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    keys = ", ".join(f'"{column.name}"' for column in table.primary_key.columns)
    changed = ", ".join(
        f'"{column.name}" = excluded."{column.name}"'
        for column in table.columns
        if not column.primary_key
    )
    return (
        f"INSERT INTO {table.fullname} ({columns}) SELECT {columns}"  # noqa: S608 - our own names
        f" FROM json_populate_recordset(NULL::{table.fullname}, %s::json)"
        f" ON CONFLICT ({keys}) DO UPDATE SET {changed}"
    )
