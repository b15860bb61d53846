"""The data keys of the cluster, in PostgreSQL, shared by all nodes.

A destroyed key is gone from the table at once. Its wrapped bytes remain in what PostgreSQL keeps
of the past, the write-ahead log, its archive, backups and row versions that no vacuum has met, as
long as these are kept, and nobody can unwrap them without the master key.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from psycopg import Connection, Cursor, OperationalError
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from adapters.crypto.data_keys import DataKeys, StoredKey
from adapters.crypto.master_key import MasterKey
from adapters.postgres.failures import translated
from domain.ports.clock import Clock

# How long to wait for a connection of the pool.
CONNECTION_SECONDS = 2.0
# A pool notices a connection that was lost only by its use, and may hold more than one.
TRIES = 3

T = TypeVar("T")
Pool = ConnectionPool[Connection[Any]]


class PostgresDataKeys(DataKeys):
    """The data keys of the database that this pool is connected to; the pool stays the caller's.

    The tables are made by the migrations.
    """

    def __init__(self, pool: Pool, master: MasterKey, clock: Clock) -> None:
        """Raises `MasterKeyProblem` and `StoreUnavailable`."""
        super().__init__(_KeyTables(pool), master, clock)


class _KeyTables:
    """Every method may be done twice when a connection was lost, which changes nothing more."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def fingerprint(self, ours: bytes) -> bytes:
        def adopt(cursor: Cursor[Any]) -> bytes:
            cursor.execute("INSERT INTO master_key VALUES (%s) ON CONFLICT DO NOTHING", (ours,))
            # By a statement of its own, which sees what another node has just committed.
            (standing,) = cursor.execute("SELECT fingerprint FROM master_key").fetchone() or (ours,)
            return bytes(standing)

        return self._run(adopt)

    def live(self, account_id: str) -> StoredKey | None:
        return self._key(
            "SELECT key_id, wrapped FROM data_keys WHERE account_id = %s AND wrapped IS NOT NULL",
            account_id,
        )

    def find(self, account_id: str, key_id: str) -> StoredKey | None:
        return self._key(
            "SELECT key_id, wrapped FROM data_keys WHERE account_id = %s AND key_id = %s",
            account_id,
            key_id,
        )

    def add(self, account_id: str, key: StoredKey, at: int) -> None:
        # Waits for another node that is adding one just now.
        self._do(
            "INSERT INTO data_keys (key_id, account_id, wrapped, created_at)"
            " VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (account_id) WHERE wrapped IS NOT NULL DO NOTHING",
            key.key_id,
            account_id,
            key.wrapped,
            at,
        )

    def destroy(self, account_id: str, at: int) -> None:
        self._do(
            "UPDATE data_keys SET wrapped = NULL, destroyed_at = %s"
            " WHERE account_id = %s AND wrapped IS NOT NULL",
            at,
            account_id,
        )

    def count_destroyed(self) -> int:
        counted = "SELECT count(*) FROM data_keys WHERE wrapped IS NULL"
        (count,) = self._run(lambda cursor: cursor.execute(counted).fetchone()) or (0,)
        return int(count)

    def _key(self, query: str, *values: str) -> StoredKey | None:
        row = self._run(lambda cursor: cursor.execute(query.encode(), values).fetchone())
        return None if row is None else StoredKey(row[0], row[1])

    def _do(self, statement: str, *values: object) -> None:
        self._run(lambda cursor: cursor.execute(statement.encode(), values))

    def _run(self, work: Callable[[Cursor[Any]], T]) -> T:
        with translated("data keys"):
            for _ in range(TRIES - 1):
                try:
                    return self._once(work)
                except (PoolTimeout, PoolClosed):
                    raise
                except OperationalError:
                    continue
            return self._once(work)

    def _once(self, work: Callable[[Cursor[Any]], T]) -> T:
        with (
            self._pool.connection(CONNECTION_SECONDS) as connection,
            connection.transaction(),
            connection.cursor(row_factory=tuple_row) as cursor,
        ):
            return work(cursor)
