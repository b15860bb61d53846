"""The `eventsourcing` library's PostgreSQL recorder with gap-free positions and no table lock.

The library locks its table before it inserts, from one node's first statement to the end of its
commit, so that positions become visible in their order. Ours come of a counter row that is bumped
by the statement which inserts the events. Who bumps it holds it until its commit is visible, so
positions are gap-free, in commit order, and no reader passes one over; but it is held for a
single round trip, in which no client is waited for (`infra/decisions/0010-positions.md`).
"""

from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Cursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

# A node that stops in the middle of a transaction gives its locks back after this.
IDLE_IN_TRANSACTION_SECONDS = 5.0
# A connection whose other end vanished is noticed after about 4 seconds.
KEEPALIVES = {
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 4_000,
}

# Every statement of ours finds its rows by a key. The planner would rather walk the tables that
# fill and empty all the time: its statistics say that they are small, and not how many dead rows
# lie in them. With that settled, one plan a statement serves for ever.
# The server's side of it: whoever holds a lock and vanished is let go of after some seconds too,
# and no statement keeps a thread of ours for ever.
SERVER_SIDE = (
    "-c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=2 "
    "-c tcp_user_timeout=4000"
)
STATEMENT_SECONDS = 15
WRITER_NAME = "gatewayz"
PLANNING = (
    "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off "
    "-c enable_mergejoin=off -c plan_cache_mode=force_generic_plan -c jit=off"
)

INSERT_EVENTS = """
WITH head AS (
    UPDATE log_head SET position = position + %(count)s RETURNING position - %(count)s AS before
)
INSERT INTO stored_events
    (originator_id, originator_version, topic, state, notification_id)
SELECT e.stream, e.version, e.topic, e.state, head.before + e.number
FROM head, unnest(%(streams)b::text[], %(versions)b::bigint[], %(topics)b::text[],
    %(states)b::bytea[]) WITH ORDINALITY AS e (stream, version, topic, state, number)
RETURNING notification_id
"""


class Datastore(PostgresDatastore):
    """The library's datastore, opened by URL."""

    def __init__(self, url: str, pool_size: int, connect_timeout: float = 5.0) -> None:
        given = conninfo_to_dict(url)
        super().__init__(
            str(given.get("dbname") or ""),
            str(given.get("host") or ""),
            str(given.get("port") or ""),
            str(given.get("user") or ""),
            str(given.get("password") or ""),
            pool_size=1,
            max_overflow=pool_size - 1,
            connect_timeout=connect_timeout,
            idle_in_transaction_session_timeout=IDLE_IN_TRANSACTION_SECONDS,
            originator_id_type="text",
        )
        # Whatever else the URL says (TLS, options) holds too; what it leaves out stays out.
        self.pool.kwargs = {
            **KEEPALIVES,
            "connect_timeout": max(2, round(connect_timeout)),
            "row_factory": dict_row,
            **given,
            "application_name": WRITER_NAME,
            "options": f"{PLANNING} {SERVER_SIDE} -c statement_timeout={STATEMENT_SECONDS}s "
            f"{given.get('options', '')}",
        }
        # The pause between two tries to connect doubles for so long, and then begins anew: a
        # server that was away for minutes must not be away for minutes more.
        self.pool.reconnect_timeout = connect_timeout


class Recorder(PostgresApplicationRecorder):
    """Stored events whose positions are dense and appear in order. The tables are made by the
    migrations.
    """

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore)
        self.sql_create_statements = []

    def _insert_stored_events(
        self, curs: Cursor[Any], stored_events: Sequence[StoredEvent], **_: Any
    ) -> None:
        curs.execute(
            INSERT_EVENTS,
            {
                "count": len(stored_events),
                "streams": [str(s.originator_id) for s in stored_events],
                "versions": [s.originator_version for s in stored_events],
                "topics": [s.topic for s in stored_events],
                "states": [s.state for s in stored_events],
            },
        )

    def insert(self, cursor: Cursor[Any], stored_events: Sequence[StoredEvent]) -> None:
        """Inserts events in the open transaction; its rows are their positions, in order."""
        self._insert_stored_events(cursor, stored_events)
