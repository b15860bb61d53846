"""A physical table of one generation, and its few multi-row statements.

Every statement handles one of a few numbers of rows, so that its text is made once and prepared
once; and many rows at a time, because the SQLite driver gives the interpreter lock away at each
step of a statement, and a busy event loop takes long to give it back.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, MetaData, Table, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import quoted_name

from domain.ports.read_models import Generation
from projections.folding import Row

T = TypeVar("T")
# Powers of two, so that few statements make up any number of rows. With 27 columns the largest
# stays far below SQLite's limit of 32,766 variables.
CHUNKS = (64, 32, 16, 8, 4, 2, 1)


def physical_table(table: Table, generation: Generation) -> Table:
    """The table and its indexes under the generation's names."""
    suffix = f"_v{generation.version}_g{generation.number}"
    made = table.to_metadata(MetaData(), name=f"{table.name}{suffix}")
    for index in made.indexes:
        index.name = quoted_name(f"{index.name}{suffix}", quote=None)
    return made


class PhysicalTable:
    """Upserts, loads and deletes many rows with few statements."""

    def __init__(self, table: Table) -> None:
        self.table = table
        keys = [column.name for column in table.primary_key.columns]
        self._values: Callable[[Row], tuple[Any, ...]] = itemgetter(*table.columns.keys())
        self.key_of: Callable[[Row], Any] = itemgetter(*keys)
        is_one = table.columns[keys[0]].in_(bindparam("keys", expanding=True))
        self._select = select(table).where(is_one)
        self._delete = delete(table).where(is_one)
        self._upserts: dict[int, str] = {}

    def upsert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Inserts the rows, replacing those with the same primary keys."""
        for chunk in _chunks(rows):
            values = tuple(chain.from_iterable(map(self._values, chunk)))
            connection.exec_driver_sql(self._upsert_text(connection, len(chunk)), values)

    def load(self, connection: Connection, keys: Sequence[str]) -> Iterator[Row]:
        """The rows that are there."""
        for chunk in _chunks(keys):
            for row in connection.execute(self._select, {"keys": chunk}).mappings():
                yield dict(row)

    def delete(self, connection: Connection, keys: Sequence[str]) -> None:
        """Removes the rows with these keys."""
        for chunk in _chunks(keys):
            connection.execute(self._delete, {"keys": chunk})

    def _upsert_text(self, connection: Connection, size: int) -> str:
        if size not in self._upserts:
            rows = [dict.fromkeys(self.table.columns.keys())] * size
            statement = self._upsert(connection.dialect.name, rows)
            self._upserts[size] = str(statement.compile(dialect=connection.dialect))
        return self._upserts[size]

    def _upsert(self, dialect: str, rows: list[Row]) -> sqlite.Insert | postgresql.Insert:
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        statement = insert(self.table).values(rows)
        keys = self.table.primary_key.columns
        excluded = statement.excluded
        changed = {c.name: excluded[c.name] for c in self.table.columns if c.name not in keys}
        return statement.on_conflict_do_update(index_elements=list(keys), set_=changed)


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """`items` cut into pieces of the fixed sizes, largest first."""
    start = 0
    for size in CHUNKS:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size
