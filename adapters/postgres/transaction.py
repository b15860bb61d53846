"""Reads what a group of appends may touch and writes what the group changed, in two round trips.

What is decided about an account is decided by one node at a time: the accounts of a group are
locked first, in one order on every node, then the work rows; last comes the counter row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from eventsourcing.persistence import StoredEvent
from psycopg import Connection, Cursor, Pipeline
from psycopg.rows import tuple_row

from adapters.codec.events import EventCodec
from adapters.postgres.recorder import Recorder
from adapters.store.group import Changes, State
from adapters.store.marks import latest
from domain.billing.wallet import Wallet
from domain.errors import StoreUnavailable
from domain.ports.event_store import Append
from domain.ports.work_queue import WorkItem

WORK_COLUMNS = (
    "queue, item_id, account_id, lane, position, cost, due_at, deadline_at, starts, "
    "lease_id, leased_until"
)
# The class of our advisory locks, "gw". Accounts share so many of them: PostgreSQL's table of
# locks is small, and a group may touch hundreds of accounts.
ACCOUNT_LOCKS = 0x6777
LOCK_STRIPES = 4_096
# Until the counter row is bumped a position is only known relative to it: those that begin in
# this transaction are written as this plus their number, which no true position is.
UNPLACED = -(1 << 60)

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The state that the appends are decided against, and the transaction's id."""

    state: State
    transaction_id: str


def load(connection: Connection[Any], appends: Sequence[Append]) -> Loaded:
    """Begins a transaction and reads everything the appends may touch, in one round trip."""
    writes = [write for append in appends for write in append.writes]
    # A hold, and an item of a work queue, bears the id of the stream that it is for, so that a
    # stream which begins here has none yet.
    known = sorted({write.stream for write in writes if write.expected_version})
    items = sorted({*known, *(effect.item_id for append in appends for effect in append.work)})
    accounts = {append.origin.account_id for append in appends if append.writes}
    run = _Pipelined(connection)
    run("BEGIN")
    run(
        "SELECT pg_advisory_xact_lock(%s, lock) FROM unnest(%s::int[]) AS lock",
        (ACCOUNT_LOCKS, sorted({crc32(a.encode()) % LOCK_STRIPES for a in accounts})),
    )
    transaction_id = run("SELECT pg_current_xact_id()::text")
    versions = run(
        "SELECT originator_id, MAX(originator_version) FROM stored_events "
        "WHERE originator_id = ANY(%s) GROUP BY originator_id",
        (sorted({write.stream for write in writes}),),
    )
    wallets = run(
        "SELECT account_id, allowance::text, purchased::text, held::text FROM wallets "
        "WHERE account_id = ANY(%s)",
        (sorted(accounts),),
    )
    holds = run(
        "SELECT hold_id, account_id, picodollars::text FROM holds WHERE hold_id = ANY(%s)",
        (known,),
    )
    work = run(
        f"SELECT {WORK_COLUMNS} FROM work WHERE queue IN ('dispatch', 'webhooks') "  # noqa: S608
        "AND item_id = ANY(%s) ORDER BY queue, item_id FOR UPDATE",
        (items,),
    )
    state = State(
        next_position=UNPLACED + 1,
        versions=dict(versions.fetchall()),
        wallets={row[0]: Wallet(*map(int, row[1:])) for row in wallets.fetchall()},
        holds={hold_id: (account, int(amount)) for hold_id, account, amount in holds.fetchall()},
        items={(row[0], row[1]): WorkItem(*row) for row in work.fetchall()},
    )
    return Loaded(state, transaction_id.fetchall()[0][0])


def save(
    connection: Connection[Any],
    pipeline: Pipeline,
    recorder: Recorder,
    changes: Changes,
    codec: EventCodec,
) -> int:
    """Writes the group's changes and commits, in one round trip.

    Returns the position before the first new event; 0 when there is none. The counter row is
    taken as late as can be: only the rows that need a new position come after it.
    """
    run = _Pipelined(connection)
    _save_money(run, changes)
    _save_marks(run, changes)
    inserted = _save_events(run, recorder, changes, codec) if changes.events else None
    _save_work(run, changes)
    _save_dead_letters(run, changes)
    committed = run("COMMIT")
    pipeline.sync()
    if committed.statusmessage != "COMMIT":
        raise StoreUnavailable(f"the commit answered {committed.statusmessage}")
    return 0 if inserted is None else int(inserted.fetchall()[0][0]) - 1


def outcome_of(connection: Connection[Any], transaction_id: str) -> str:
    """Of a transaction: "committed", "aborted" or "in progress"; "" when it is long forgotten."""
    row = connection.execute("SELECT pg_xact_status(%s::xid8) AS status", (transaction_id,))
    return str(row.fetchall()[0]["status"] or "")


def position_before(connection: Connection[Any], changes: Changes) -> int:
    """As `save` returns it, of changes that are known to be committed."""
    if not changes.events:
        return 0
    first = changes.events[0]
    row = connection.execute(
        "SELECT notification_id FROM stored_events "
        "WHERE originator_id = %s AND originator_version = %s",
        (first.stream, first.version),
    )
    return int(row.fetchall()[0]["notification_id"]) - 1


class _Pipelined:
    """Runs statements of a pipeline, each on a cursor of its own."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def cursor(self) -> Cursor[Any]:
        return self._connection.cursor(row_factory=tuple_row)

    def __call__(self, sql: str, parameters: Sequence[Any] = ()) -> Cursor[Any]:
        return self.cursor().execute(sql.encode(), parameters)


def _save_events(
    run: _Pipelined, recorder: Recorder, changes: Changes, codec: EventCodec
) -> Cursor[Any]:
    stored = [
        StoredEvent(r.stream, r.version, codec.topics[type(r.event)], state)
        for r, state in zip(changes.events, changes.states, strict=True)
    ]
    cursor = run.cursor()
    recorder.insert(cursor, stored)
    return cursor


def _save_money(run: _Pipelined, changes: Changes) -> None:
    if changes.wallets:
        rows = [
            (a, str(w.allowance), str(w.purchased), str(w.held)) for a, w in changes.wallets.items()
        ]
        run(
            "INSERT INTO wallets SELECT * FROM unnest"
            "(%s::text[], %s::numeric[], %s::numeric[], %s::numeric[]) "
            "ON CONFLICT (account_id) DO UPDATE SET allowance = excluded.allowance, "
            "purchased = excluded.purchased, held = excluded.held",
            _columns(rows),
        )
    kept = [(key, held[0], str(held[1])) for key, held in changes.holds.items() if held is not None]
    if kept:
        run(
            "INSERT INTO holds SELECT * FROM unnest(%s::text[], %s::text[], %s::numeric[]) "
            "ON CONFLICT (hold_id) DO UPDATE SET account_id = excluded.account_id, "
            "picodollars = excluded.picodollars",
            _columns(kept),
        )
    ended = [key for key, held in changes.holds.items() if held is None]
    if ended:
        run("DELETE FROM holds WHERE hold_id = ANY(%s)", (ended,))


def _save_work(run: _Pipelined, changes: Changes) -> None:
    kept = [_work_row(item) for item in changes.items.values() if item is not None]
    if kept:
        run(
            f"INSERT INTO work ({WORK_COLUMNS}) "  # noqa: S608
            "SELECT queue, item_id, account_id, lane, "
            "CASE WHEN place < 0 THEN place + %s + head.position ELSE place END, "
            "cost, due_at, deadline_at, starts, lease_id, leased_until "
            "FROM log_head AS head, unnest(%s::text[], %s::text[], %s::text[], %s::text[], "
            "%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::text[], "
            "%s::bigint[]) AS w (queue, item_id, account_id, lane, place, cost, due_at, "
            "deadline_at, starts, lease_id, leased_until) "
            "ON CONFLICT (queue, item_id) DO UPDATE SET due_at = excluded.due_at, "
            "starts = excluded.starts, lease_id = excluded.lease_id, "
            "leased_until = excluded.leased_until",
            # The head has moved past the group's events by now.
            (-UNPLACED - len(changes.events), *_columns(kept)),
        )
    done: dict[str, list[str]] = {}
    for (queue, item_id), item in changes.items.items():
        if item is None:
            done.setdefault(queue, []).append(item_id)
    for queue, item_ids in done.items():
        run("DELETE FROM work WHERE queue = %s AND item_id = ANY(%s)", (queue, item_ids))


def _work_row(item: WorkItem) -> tuple[Any, ...]:
    return (
        item.queue,
        item.item_id,
        item.account_id,
        item.lane,
        item.position,
        item.cost,
        item.due_at,
        item.deadline_at,
        item.starts,
        item.lease_id,
        item.leased_until,
    )


def _save_marks(run: _Pipelined, changes: Changes) -> None:
    for mark in latest(changes.marks):
        run(
            "INSERT INTO checkpoints VALUES (%s, %s) ON CONFLICT (consumer) DO UPDATE "
            "SET watermark = GREATEST(checkpoints.watermark, excluded.watermark)",
            (mark.consumer, mark.watermark),
        )
        beyond = [position for position in mark.handled if position > mark.watermark]
        if beyond:
            run(
                "INSERT INTO inbox SELECT %s, unnest(%s::bigint[]) ON CONFLICT DO NOTHING",
                (mark.consumer, beyond),
            )
        if mark.watermark:
            run(
                "DELETE FROM inbox WHERE consumer = %s AND position <= %s",
                (mark.consumer, mark.watermark),
            )


def _save_dead_letters(run: _Pipelined, changes: Changes) -> None:
    for letter in changes.dead_letters:
        run(
            "INSERT INTO dead_letters (consumer, position, event_name, error, at, state) "
            "VALUES (%s, %s, %s, %s, %s, COALESCE("
            "(SELECT state FROM stored_events WHERE notification_id = %s), '')) "
            "ON CONFLICT (consumer, position) DO UPDATE "
            "SET error = excluded.error, at = excluded.at",
            (
                letter.consumer,
                letter.position,
                letter.event_name,
                letter.error,
                letter.at,
                letter.position,
            ),
        )
    for letter in changes.redriven:
        run(
            "DELETE FROM dead_letters WHERE consumer = %s AND position = %s",
            (letter.consumer, letter.position),
        )


def _columns(rows: Rows | list[Any]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
