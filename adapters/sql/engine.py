"""The database of the read models: how its connections are opened and transactions begun."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from domain.ports.read_models import ReadModelUnavailable

CONNECTIONS = 8
# A rebuild by another process commits every few ten milliseconds; waiting longer is a failure.
BUSY_TIMEOUT_MS = 30_000


def open_sqlite(path: Path, *, disposable: bool = False) -> Engine:
    """A SQLite file; `disposable` when it need not survive even this process.

    A power cut may lose the last commits (`synchronous=NORMAL`) but never damages the file:
    rows and positions go back together, and the log brings them again.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=CONNECTIONS,
        max_overflow=0,
        connect_args={"cached_statements": 256, "check_same_thread": False},
    )
    synchronous = "OFF" if disposable else "NORMAL"

    def configure(connection: Any, _: Any) -> None:
        # The driver's own transaction handling starts none for a SELECT or for DDL.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")

    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin)
    return engine


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """One transaction, committed at the end of the block, rolled back on any exception."""
    with translated(), engine.connect() as opened:
        connection = opened.execution_options(writes=writes)
        with connection.begin():
            yield connection


@contextmanager
def translated() -> Iterator[None]:
    """Raises the driver's failures as `ReadModelUnavailable`; a number too large is one of them."""
    try:
        yield
    except DBAPIError as error:
        raise ReadModelUnavailable(f"the read models: {error.orig}") from error
    except (SQLAlchemyError, OverflowError) as error:
        raise ReadModelUnavailable(f"the read models: {error}") from error
