"""The schema of the PostgreSQL database: brought to this version's, or found to be another's."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

REVISIONS = Path(__file__).with_name("migrations")
# Not Alembic's own name: the database may be shared with a program that uses that.
VERSION_TABLE = "gatewayz_schema"
# Who holds this advisory lock migrates. The number is "gwzs" in ASCII.
MIGRATION_LOCK = 0x67777A73
# A migration may take long; nodes that start meanwhile give up and are started again.
WAIT_SECONDS = 120
CONNECT_SECONDS = 5


class SchemaProblem(Exception):
    """The database cannot be used by this version as it is."""


class SchemaUnavailable(SchemaProblem):
    """The database does not answer, or another node migrates for too long; retrying may help."""


def migrate(url: str) -> None:
    """Brings the database to this version's schema; any number of nodes may do so at once.

    One of them migrates, in one transaction, while the others wait, and then find nothing to do.
    Raises `SchemaProblem`, and has changed nothing then.
    """
    with _transaction(url) as connection:
        # The timeout bounds the wait for the migrating node, and for tables in use.
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        config = _config(connection)
        if _revision(connection, config) != _head(config):
            command.upgrade(config, "head")


def check(url: str) -> None:
    """Raises `SchemaProblem` unless the database has exactly this version's schema."""
    with _transaction(url) as connection:
        config = _config(connection)
        found, wanted = _revision(connection, config), _head(config)
    if found != wanted:
        at = f"is at revision {found}" if found else "has no schema yet"
        raise SchemaProblem(f"the database {at}, and this version needs {wanted}: migrate it first")


def _config(connection: Connection) -> Config:
    config = Config()
    # The configuration interpolates values in Python's old way.
    config.set_main_option("script_location", str(REVISIONS).replace("%", "%%"))
    config.attributes.update(connection=connection, version_table=VERSION_TABLE)
    return config


def _revision(connection: Connection, config: Config) -> str | None:
    """Where the database is. Raises `SchemaProblem` where this code does not know the way on."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    found = context.get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaProblem(
            f"the database is at revision {found}, which this version does not know: "
            "a newer version has migrated it; run that one"
        )
    return found


def _head(config: Config) -> str | None:
    return ScriptDirectory.from_config(config).get_current_head()


@contextmanager
def _transaction(url: str) -> Iterator[Connection]:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(url, connect_timeout=CONNECT_SECONDS),
        poolclass=NullPool,
    )
    try:
        with engine.begin() as connection:
            yield connection
    except (OperationalError, InterfaceError) as error:
        raise SchemaUnavailable(f"the database cannot be migrated now: {error.orig}") from error
    except DBAPIError as error:
        raise SchemaProblem(f"the database cannot be migrated: {error.orig}") from error
    except SQLAlchemyError as error:
        raise SchemaProblem(f"the database cannot be migrated: {error}") from error
