"""The read models in SQLite: a table of its own name for each generation, and views.

`jobs_v1_g1` is a physical table; the logical name `jobs` is a view of the active generation's.
One process at a time writes, since every writing transaction locks the whole file.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Literal

from sqlalchemy import ClauseElement, Connection, CreateView, MetaData, Table, delete, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import DropView
from sqlalchemy.sql import quoted_name

from adapters.sql.chunks import chunks
from adapters.sql.texts import storable_rows
from domain.ports.read_models import Generation
from projections.folding import Projection, Row
from projections.tables import NUL

Kind = Literal["upsert", "select", "delete"]
# Powers of two, so that few statements make up any number of rows. With 27 columns the largest
# stays far below SQLite's limit of 32,766 variables.
CHUNKS = (64, 32, 16, 8, 4, 2, 1)


class SqliteLayout:
    """`Layout` for SQLite."""

    looking = "SELECT name, position FROM projections WHERE state = 'active'"

    def table(self, table: Table, generation: Generation) -> Table:
        suffix = f"_v{generation.version}_g{generation.number}"
        made = table.to_metadata(MetaData(), name=f"{table.name}{suffix}")
        for index in made.indexes:
            index.name = quoted_name(f"{index.name}{suffix}", quote=None)
        return made

    def rows(self, table: Table) -> "SqliteRows":
        return SqliteRows(table)

    def make_home(self, connection: Connection) -> None:
        """The file is it."""

    def alone(self, connection: Connection) -> None:
        """Every writing transaction is."""

    def lock(self, connection: Connection, keys: Collection[tuple[str, int, int]]) -> None:
        """The whole file is locked."""

    def take_time(self, connection: Connection) -> None:
        """Every statement may."""

    def create(
        self, connection: Connection, projection: Projection, generation: Generation
    ) -> Sequence[str]:
        made = [self.table(table, generation) for table in projection.tables]
        for table in made:
            table.create(connection)
        return [table.name for table in made]

    def drop(self, connection: Connection, names: Sequence[str]) -> bool:
        for name in names:
            Table(name, MetaData()).drop(connection, checkfirst=True)
        return True

    def show(self, connection: Connection, projection: Projection, generation: Generation) -> None:
        self.hide(connection, projection)
        for table in projection.tables:
            connection.execute(CreateView(select(self.table(table, generation)), table.name))

    def hide(self, connection: Connection, projection: Projection) -> None:
        for table in projection.tables:
            connection.execute(DropView(Table(table.name, MetaData()), if_exists=True))


class SqliteRows:
    """`TableRows` for SQLite.

    Every statement handles one of a few numbers of rows, so that its text is made once and
    prepared once; and many rows at a time, because the driver gives the interpreter lock away at
    each step of a statement, and a busy event loop takes long to give it back.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._names = table.columns.keys()
        keys = [column.name for column in table.primary_key.columns]
        self._key = table.columns[keys[0]]
        self._values: Callable[[Row], tuple[Any, ...]] = itemgetter(*self._names)
        self.key_of: Callable[[Row], Any] = itemgetter(*keys)
        self._texts: dict[tuple[Kind, int], str] = {}

    def upsert(self, connection: Connection, rows: Sequence[Row]) -> None:
        for chunk in chunks(rows, CHUNKS):
            values = tuple(chain.from_iterable(map(self._values, chunk)))
            if NUL in "".join([value for value in values if type(value) is str]):
                self.upsert(connection, storable_rows(rows, self.key_of))
                return
            connection.exec_driver_sql(self._text(connection, "upsert", len(chunk)), values)

    def load(self, connection: Connection, keys: Sequence[str]) -> Iterator[Row]:
        for chunk in chunks(keys, CHUNKS):
            text = self._text(connection, "select", len(chunk))
            for row in connection.exec_driver_sql(text, tuple(chunk)):
                yield dict(zip(self._names, row, strict=True))

    def delete(self, connection: Connection, keys: Sequence[str]) -> None:
        for chunk in chunks(keys, CHUNKS):
            text = self._text(connection, "delete", len(chunk))
            connection.exec_driver_sql(text, tuple(chunk))

    def _text(self, connection: Connection, kind: Kind, size: int) -> str:
        text = self._texts.get((kind, size))
        if text is None:
            compiled = self._statement(kind, size).compile(
                dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
            )
            text = self._texts[kind, size] = str(compiled)
        return text

    def _statement(self, kind: Kind, size: int) -> ClauseElement:
        is_one = self._key.in_([""] * size)
        match kind:
            case "upsert":
                return self._upsert(size)
            case "select":
                return select(self._table).where(is_one)
            case "delete":
                return delete(self._table).where(is_one)

    def _upsert(self, size: int) -> sqlite.Insert:
        statement = sqlite.insert(self._table).values([dict.fromkeys(self._names)] * size)
        keys = self._table.primary_key.columns
        excluded = statement.excluded
        changed = {c.name: excluded[c.name] for c in self._table.columns if c.name not in keys}
        return statement.on_conflict_do_update(index_elements=list(keys), set_=changed)
