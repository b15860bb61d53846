"""How the generations of the read models stand in a database, for each kind of database."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Table

from adapters.sql import on_postgres, on_sqlite
from domain.ports.read_models import Generation
from projections.folding import Projection, Row


class TableRows(Protocol):
    """Many rows of one physical table, moved with few statements."""

    @property
    def key_of(self) -> Callable[[Row], Any]:
        """What tells a row from the others: its primary key."""
        ...

    def upsert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Inserts the rows, replacing those with the same primary keys."""
        ...

    def load(self, connection: Connection, keys: Sequence[str]) -> Iterator[Row]:
        """The rows that are there; for a table with a key of one column."""
        ...

    def delete(self, connection: Connection, keys: Sequence[str]) -> None:
        """Removes the rows with these keys; for a table with a key of one column."""
        ...


class Layout(Protocol):
    """Every function works within the caller's transaction."""

    @property
    def looking(self) -> str:
        """Selects name and position of the active generations.

        From there on the logical names mean their tables in this transaction.
        """
        ...

    def table(self, table: Table, generation: Generation) -> Table:
        """The generation's physical table, with its indexes."""
        ...

    def rows(self, table: Table) -> TableRows:
        """The rows of a physical table."""
        ...

    def make_home(self, connection: Connection) -> None:
        """Makes the place of the registry; from here on no other process is making it."""
        ...

    def alone(self, connection: Connection) -> None:
        """From here on no other process makes, advances, swaps or drops generations."""
        ...

    def lock(self, connection: Connection, keys: Collection[tuple[str, int, int]]) -> None:
        """From here on no other process advances these generations."""
        ...

    def take_time(self, connection: Connection) -> None:
        """From here on a statement of this transaction may take as long as it has to."""
        ...

    def create(
        self, connection: Connection, projection: Projection, generation: Generation
    ) -> Sequence[str]:
        """Makes the generation's empty tables; returns the names to give to `drop`."""
        ...

    def drop(self, connection: Connection, names: Sequence[str]) -> bool:
        """Drops what `create` made; False, and nothing dropped, while somebody reads it."""
        ...

    def show(self, connection: Connection, projection: Projection, generation: Generation) -> None:
        """Makes the logical names mean this generation, which has just become active."""
        ...

    def hide(self, connection: Connection, projection: Projection) -> None:
        """Takes the logical names away: no generation is active any more."""
        ...


def layout_of(database: Connection | Engine) -> Layout:
    """The layout for this kind of database."""
    return POSTGRES if database.dialect.name == "postgresql" else SQLITE


POSTGRES: Layout = on_postgres.PostgresLayout()
SQLITE: Layout = on_sqlite.SqliteLayout()
