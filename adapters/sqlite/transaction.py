"""Reads what a group of appends may touch and writes what the group changed."""

import json
from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteCursor

from adapters.codec.events import EventCodec
from adapters.sqlite.recorder import Recorder
from adapters.sqlite.rows import insert_rows
from adapters.sqlite.schema import WORK_COLUMNS
from adapters.store.group import Changes, HeldAmount, ItemKey, State
from adapters.store.marks import latest
from domain.billing.wallet import Wallet
from domain.ports.event_store import Append, Mark
from domain.ports.work_queue import WorkItem


def load(recorder: Recorder, c: SQLiteCursor, appends: Sequence[Append]) -> State:
    """The state that the appends are decided against."""
    writes = [write for append in appends for write in append.writes]
    # A hold, and an item of a work queue, bears the id of the stream that it is for, so that a
    # stream which begins here has none yet.
    known = {write.stream for write in writes if write.expected_version}
    items = known | {effect.item_id for append in appends for effect in append.work}
    return State(
        next_position=recorder.next_position(c),
        versions=_versions(c, {write.stream for write in writes}),
        wallets=_wallets(c, {append.origin.account_id for append in appends if append.writes}),
        holds=_holds(c, known),
        items=_items(c, items),
    )


def _versions(c: SQLiteCursor, streams: set[str]) -> dict[str, int]:
    sql = (
        "SELECT originator_id, MAX(originator_version) FROM stored_events "
        "WHERE originator_id IN (SELECT value FROM json_each(?)) GROUP BY originator_id"
    )
    return dict(_rows(c, sql, streams))


def _wallets(c: SQLiteCursor, accounts: set[str]) -> dict[str, Wallet]:
    sql = (
        "SELECT account_id, allowance, purchased, held FROM wallets "
        "WHERE account_id IN (SELECT value FROM json_each(?))"
    )
    return {account_id: Wallet(*balances) for account_id, *balances in _rows(c, sql, accounts)}


def _holds(c: SQLiteCursor, streams: set[str]) -> dict[str, HeldAmount]:
    sql = (
        "SELECT hold_id, account_id, picodollars FROM holds "
        "WHERE hold_id IN (SELECT value FROM json_each(?))"
    )
    return {hold_id: (account, amount) for hold_id, account, amount in _rows(c, sql, streams)}


def _items(c: SQLiteCursor, item_ids: set[str]) -> dict[ItemKey, WorkItem]:
    sql = (
        f"SELECT {WORK_COLUMNS} FROM work WHERE queue IN ('dispatch', 'webhooks') "  # noqa: S608
        "AND item_id IN (SELECT value FROM json_each(?))"
    )
    items = (WorkItem(*row) for row in _rows(c, sql, item_ids))
    return {(item.queue, item.item_id): item for item in items}


def _rows(c: SQLiteCursor, sql: str, keys: set[str]) -> list[tuple[Any, ...]]:
    if not keys:
        return []
    c.execute(sql, (json.dumps(list(keys)),))
    return [tuple(row) for row in c.fetchall()]


def save(recorder: Recorder, c: SQLiteCursor, changes: Changes, codec: EventCodec) -> None:
    """Writes the group's changes in the open transaction."""
    if changes.events:
        stored = [
            StoredEvent(r.stream, r.version, codec.topics[type(r.event)], state)
            for r, state in zip(changes.events, changes.states, strict=True)
        ]
        recorder.insert_at(c, changes.events[0].position, stored)
    _save_money(c, changes)
    _save_work(c, changes)
    for mark in latest(changes.marks):
        _save_mark(c, mark)
    _save_dead_letters(c, changes)


def _save_money(c: SQLiteCursor, changes: Changes) -> None:
    insert_rows(
        c,
        "INSERT OR REPLACE INTO wallets (account_id, allowance, purchased, held)",
        4,
        [(key, w.allowance, w.purchased, w.held) for key, w in changes.wallets.items()],
    )
    kept = [(key, *held) for key, held in changes.holds.items() if held is not None]
    insert_rows(c, "INSERT OR REPLACE INTO holds (hold_id, account_id, picodollars)", 3, kept)
    ended = [key for key, held in changes.holds.items() if held is None]
    if ended:
        c.execute(
            "DELETE FROM holds WHERE hold_id IN (SELECT value FROM json_each(?))",
            (json.dumps(ended),),
        )


def _save_work(c: SQLiteCursor, changes: Changes) -> None:
    kept = [
        (
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
        for item in changes.items.values()
        if item is not None
    ]
    insert_rows(c, f"INSERT OR REPLACE INTO work ({WORK_COLUMNS})", 11, kept)
    done: dict[str, list[str]] = {}
    for (queue, item_id), item in changes.items.items():
        if item is None:
            done.setdefault(queue, []).append(item_id)
    for queue, item_ids in done.items():
        c.execute(
            "DELETE FROM work WHERE queue = ? AND item_id IN (SELECT value FROM json_each(?))",
            (queue, json.dumps(item_ids)),
        )


def _save_mark(c: SQLiteCursor, mark: Mark) -> None:
    c.execute(
        "INSERT INTO checkpoints VALUES (?, ?) ON CONFLICT (consumer) DO UPDATE "
        "SET watermark = MAX(watermark, excluded.watermark)",
        (mark.consumer, mark.watermark),
    )
    beyond = [(mark.consumer, p) for p in mark.handled if p > mark.watermark]
    insert_rows(c, "INSERT OR IGNORE INTO inbox (consumer, position)", 2, beyond)
    c.execute(
        "DELETE FROM inbox WHERE consumer = ? AND position <= ?", (mark.consumer, mark.watermark)
    )


def _save_dead_letters(c: SQLiteCursor, changes: Changes) -> None:
    for letter in changes.dead_letters:
        c.execute(
            "INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, COALESCE("
            "(SELECT state FROM stored_events WHERE rowid = ?), x''), ?)",
            (
                letter.consumer,
                letter.position,
                letter.event_name,
                letter.error,
                letter.position,
                letter.at,
            ),
        )
    for letter in changes.redriven:
        c.execute(
            "DELETE FROM dead_letters WHERE consumer = ? AND position = ?",
            (letter.consumer, letter.position),
        )
