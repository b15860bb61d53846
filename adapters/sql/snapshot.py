"""One consistent view of all read models, for queries and for proofs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from adapters.sql import registry
from adapters.sql.engine import transaction
from domain.ports.read_models import ReadModelUnavailable


@dataclass(frozen=True, slots=True)
class SqlSnapshot:
    """`Snapshot` in a transaction where the logical names mean the active generations."""

    connection: Connection
    positions: Mapping[str, int]

    def position(self, projection: str) -> int:
        try:
            return self.positions[projection]
        except KeyError:
            raise ReadModelUnavailable(f"{projection} is being built for the first time") from None

    def rows(self, statement: Any) -> Sequence[Mapping[str, Any]]:
        return [dict(row) for row in self.connection.execute(statement).mappings()]


@contextmanager
def snapshot(engine: Engine) -> Iterator[SqlSnapshot]:
    """The read models as they are now, until the end of the block."""
    with transaction(engine, writes=False) as connection:
        yield SqlSnapshot(connection, registry.look(connection))
