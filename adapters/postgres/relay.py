"""What the relay needs of PostgreSQL: the stored rows, and the place where its position stands."""

from collections.abc import Sequence

from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.reads import Rows
from domain.ports.stored_rows import StoredRow

RELAY = "kafka"
COLUMNS = "notification_id, originator_id, originator_version, topic, state"


class PostgresRelaySource:
    """`RelaySource` over an event store that somebody else owns, and whose log is followed."""

    def __init__(self, store: PostgresEventStore) -> None:
        self._store = store

    async def rows(self, after: int, limit: int) -> Sequence[StoredRow]:
        sql = (
            f"SELECT {COLUMNS} FROM stored_events WHERE notification_id > %s "
            "ORDER BY notification_id LIMIT %s"
        )
        return await self._store.pages.read(sql, (after, limit), _stored)

    async def wait(self, after: int) -> None:
        await self._store.log.wait(after)

    async def firsts(self, streams: Sequence[str]) -> Sequence[StoredRow]:
        sql = (
            f"SELECT {COLUMNS} FROM stored_events "
            "WHERE originator_id = ANY(%s) AND originator_version = 1"
        )
        return await self._store.pages.read(sql, (list(streams),), _stored)

    async def head(self) -> int:
        return await self._store.head()


class PostgresRelayProgress:
    """`RelayProgress` in the event store's database."""

    def __init__(self, store: PostgresEventStore) -> None:
        self._reader = store.reader

    async def load(self) -> int:
        sql = "SELECT position FROM relays WHERE name = %s"
        return await self._reader.read(sql, (RELAY,), lambda rows: rows[0][0] if rows else 0)

    async def save(self, position: int) -> None:
        await self._write(
            "INSERT INTO relays VALUES (%s, %s) ON CONFLICT (name) DO UPDATE "
            "SET position = GREATEST(relays.position, excluded.position) RETURNING position",
            RELAY,
            position,
        )

    async def reset(self) -> None:
        await self._write("DELETE FROM relays WHERE name = %s RETURNING position", RELAY)

    async def _write(self, sql: str, *parameters: object) -> None:
        await self._reader.read(sql, parameters, len)


def _stored(rows: Rows) -> Sequence[StoredRow]:
    return [StoredRow(*row) for row in rows]
