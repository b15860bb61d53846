"""Reads what a group of appends may touch and writes what the group changed, in two round trips.

What is decided about an account is decided by one node at a time: the accounts of a group are
locked first, in one order on every node, then the work rows; last comes the counter row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import msgspec
from eventsourcing.persistence import StoredEvent
from psycopg import Connection, Cursor, Pipeline
from psycopg.rows import tuple_row

from adapters.codec.events import EventCodec
from adapters.postgres.recorder import Recorder
from adapters.store.group import Changes, HeldAmount, State
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

# No index serves this, so that items are found by their ids: a plan that was made when the table
# was empty would otherwise walk the whole queue for each of them when it is long.
OF_QUEUE = "queue || '' = %s"
# A parameter made by `_json` as an array of texts.
ANY = "ANY(ARRAY(SELECT json_array_elements_text(%s)))"
LOCK_ACCOUNTS = (
    f"SELECT pg_advisory_xact_lock({ACCOUNT_LOCKS}, lock::int) "
    "FROM json_array_elements_text(%s) AS lock"
)
VERSIONS = (
    "SELECT originator_id, MAX(originator_version) FROM stored_events "
    f"WHERE originator_id = {ANY} GROUP BY originator_id"
)
WALLETS = (
    "SELECT account_id, allowance::text, purchased::text, held::text FROM wallets "
    f"WHERE account_id = {ANY}"
)
HOLDS = f"SELECT hold_id, account_id, picodollars::text FROM holds WHERE hold_id = {ANY}"
WORK = f"SELECT {WORK_COLUMNS} FROM work WHERE item_id = {ANY} ORDER BY item_id, queue FOR UPDATE"
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Loaded:
    """The state that the appends are decided against, and the transaction's id."""

    state: State
    transaction_id: str


def load(connection: Connection[Any], pipeline: Pipeline, appends: Sequence[Append]) -> Loaded:
    """Begins a transaction and reads everything the appends may touch, in one round trip.

    It ends with a sync: only then does the server count how long we leave the transaction idle.
    """
    writes = [write for append in appends for write in append.writes]
    # A hold, and an item of a work queue, bears the id of the stream that it is for, so that a
    # stream which begins here has none yet.
    known = {write.stream for write in writes if write.expected_version}
    items = known | {effect.item_id for append in appends for effect in append.work}
    accounts = {append.origin.account_id for append in appends if append.writes}
    run = _Pipelined(connection)
    run("BEGIN ISOLATION LEVEL READ COMMITTED")
    run(LOCK_ACCOUNTS, (_json(sorted({crc32(a.encode()) % LOCK_STRIPES for a in accounts})),))
    transaction_id = run("SELECT pg_current_xact_id()::text")
    versions = run(VERSIONS, (_json({write.stream for write in writes}),))
    wallets = run(WALLETS, (_json(accounts),))
    holds = run(HOLDS, (_json(known),))
    work = run(WORK, (_json(items),))
    pipeline.sync()
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


def position_before(connection: Connection[Any], changes: Changes) -> int | None:
    """As `save` returns it, of changes that are said to be committed; None when their first event
    is not there: a server that took over may give the transaction's id to another one.
    """
    if not changes.events:
        return 0
    first = changes.events[0]
    rows = connection.execute(
        "SELECT notification_id FROM stored_events "
        "WHERE originator_id = %s AND originator_version = %s AND state = %s",
        (first.stream, first.version, changes.states[0]),
    ).fetchall()
    return int(rows[0]["notification_id"]) - 1 if rows else None


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
        run(
            "INSERT INTO wallets SELECT * FROM json_to_recordset(%s) AS w "
            "(account_id text, allowance numeric, purchased numeric, held numeric) "
            "ON CONFLICT (account_id) DO UPDATE SET allowance = excluded.allowance, "
            "purchased = excluded.purchased, held = excluded.held",
            (_json([_wallet_row(*one) for one in changes.wallets.items()]),),
        )
    kept = [_hold_row(key, held) for key, held in changes.holds.items() if held is not None]
    if kept:
        run(
            "INSERT INTO holds SELECT * FROM json_to_recordset(%s) AS h "
            "(hold_id text, account_id text, picodollars numeric) "
            "ON CONFLICT (hold_id) DO UPDATE SET account_id = excluded.account_id, "
            "picodollars = excluded.picodollars",
            (_json(kept),),
        )
    ended = [key for key, held in changes.holds.items() if held is None]
    if ended:
        run(f"DELETE FROM holds WHERE hold_id = {ANY}", (_json(ended),))


def _wallet_row(account_id: str, wallet: Wallet) -> dict[str, str]:
    """Amounts as text: they may be larger than 64 bits."""
    return {
        "account_id": account_id,
        "allowance": str(wallet.allowance),
        "purchased": str(wallet.purchased),
        "held": str(wallet.held),
    }


def _hold_row(hold_id: str, held: HeldAmount) -> dict[str, str]:
    account_id, picodollars = held
    return {"hold_id": hold_id, "account_id": account_id, "picodollars": str(picodollars)}


def _save_work(run: _Pipelined, changes: Changes) -> None:
    kept = [item._asdict() for item in changes.items.values() if item is not None]
    if kept:
        run(
            f"INSERT INTO work ({WORK_COLUMNS}) "
            "SELECT queue, item_id, account_id, lane, CASE WHEN w.position < 0 "
            "THEN w.position + %s + head.position ELSE w.position END, "
            "cost, due_at, deadline_at, starts, lease_id, leased_until "
            "FROM log_head AS head, json_to_recordset(%s) AS w (queue text, item_id text, "
            "account_id text, lane text, position bigint, cost bigint, due_at bigint, "
            "deadline_at bigint, starts int, lease_id text, leased_until bigint) "
            "ON CONFLICT (item_id, queue) DO UPDATE SET due_at = excluded.due_at, "
            "starts = excluded.starts, lease_id = excluded.lease_id, "
            "leased_until = excluded.leased_until",
            # The head has moved past the group's events by now.
            (-UNPLACED - len(changes.events), _json(kept)),
        )
    done: dict[str, list[str]] = {}
    for (queue, item_id), item in changes.items.items():
        if item is None:
            done.setdefault(queue, []).append(item_id)
    for queue, item_ids in done.items():
        run(
            f"DELETE FROM work WHERE item_id = {ANY} AND {OF_QUEUE}",
            (_json(item_ids), queue),
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


def _json(value: Any) -> str:
    """A parameter of many values; the driver takes far longer for its arrays."""
    return _encoder.encode(value).decode()
