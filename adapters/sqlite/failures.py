"""SQLite's failures in the engine's words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from eventsourcing.persistence import PersistenceError

from domain.errors import StoreUnavailable


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raises whatever the library or the driver raises as `StoreUnavailable`."""
    try:
        yield
    except (PersistenceError, sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"{what}: {error}") from error
