"""The database of the read models: how its connections are opened and transactions begun."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from adapters.sql.on_postgres import HOME
from domain.ports.read_models import ReadModelUnavailable

CONNECTIONS = 8
# A rebuild by another process commits every few ten milliseconds; waiting longer is a failure.
BUSY_TIMEOUT_MS = 30_000
CONNECT_SECONDS = 5
# What a lost commit takes away, rows and positions together, the log brings again.
POSTGRES_SETTINGS = {
    "search_path": HOME,
    "synchronous_commit": "off",
    "lock_timeout": "30s",
    "statement_timeout": "60s",
}
# So that a server which is gone without a word is noticed; in seconds.
KEEP_ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
# SQLite has one kind of transaction, in which everything is a snapshot.
SNAPSHOT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
NO_TRANSACTION = {"isolation_level": "AUTOCOMMIT"}
# The table is gone, or its schema: it was of a generation that has just been replaced.
GONE = frozenset({"42P01", "3F000"})


class Superseded(ReadModelUnavailable):
    """The connection was lost, or the generation that was read has been replaced: read again."""


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


def open_postgres(url: str, connections: int = CONNECTIONS) -> Engine:
    """A PostgreSQL database, where the role may make schemas; nothing is connected yet.

    `url` is what libpq understands. The read models stand beside the event store's tables.
    """
    engine = create_engine(
        "postgresql+psycopg://",
        pool_size=connections,
        max_overflow=0,
        use_native_hstore=False,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "fallback_application_name": "gatewayz read models",
            **KEEP_ALIVE,
        },
    )
    options = " ".join(f"-c {name}={value}" for name, value in POSTGRES_SETTINGS.items())

    def connect(dialect: Any, _: Any, __: Any, arguments: dict[str, Any]) -> Any:
        return dialect.loaded_dbapi.connect(url, options=options, **arguments)

    event.listen(engine, "do_connect", connect)
    return engine


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """One transaction, committed at the end of the block, rolled back on any exception.

    One that does not write sees one snapshot.
    """
    options = SNAPSHOT if _is_postgres(engine) and not writes else {}
    with translated(), engine.connect() as opened:
        connection = opened.execution_options(writes=writes, **options)
        with connection.begin():
            yield connection


@contextmanager
def glance(engine: Engine) -> Iterator[Connection]:
    """For one statement on the registry, in one round trip."""
    options = NO_TRANSACTION if _is_postgres(engine) else {}
    with translated(), engine.connect() as opened:
        yield opened.execution_options(**options)


@contextmanager
def translated() -> Iterator[None]:
    """Raises the driver's failures as `ReadModelUnavailable`; a number too large is one of them."""
    try:
        yield
    except DBAPIError as error:
        again = error.connection_invalidated or getattr(error.orig, "sqlstate", None) in GONE
        kind = Superseded if again else ReadModelUnavailable
        reason, _, _ = str(error.orig).partition("\n")  # PostgreSQL goes on with the statement
        raise kind(f"the read models: {reason}") from error
    except (SQLAlchemyError, OverflowError) as error:
        raise ReadModelUnavailable(f"the read models: {error}") from error


def _is_postgres(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql"
