"""PostgreSQL's failures in the engine's words."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg_pool
from eventsourcing.persistence import PersistenceError

from domain.errors import StoreUnavailable

# What the driver raises when the server is away, goes away or refuses connections.
LOST = (psycopg.OperationalError, psycopg.InterfaceError, psycopg_pool.PoolTimeout)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raises whatever the library, the pool or the driver raises as `StoreUnavailable`."""
    try:
        yield
    except (PersistenceError, psycopg.Error, psycopg_pool.PoolTimeout, OSError) as error:
        raise StoreUnavailable(f"{what}: {error}") from error
