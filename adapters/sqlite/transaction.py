"""Writes what a group of appends changed."""

from typing import get_args

from eventsourcing.sqlite import SQLiteCursor

from adapters.codec.events import EventCodec
from adapters.sqlite.recorder import insert_events
from adapters.sqlite.rows import delete_by_keys, insert_rows
from adapters.sqlite.schema import WORK_COLUMNS
from adapters.store.group import Changes
from adapters.store.marks import latest
from domain.effects import Queue
from domain.ports.event_store import Mark


def save(c: SQLiteCursor, changes: Changes, codec: EventCodec) -> None:
    """Writes the group's changes in the open transaction."""
    topics = codec.topics
    rows = [
        (r.position, r.stream, r.version, topics[type(r.event)], state)
        for r, state in zip(changes.events, changes.states, strict=True)
    ]
    insert_events(c, rows)
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
    delete_by_keys(c, "DELETE FROM holds WHERE hold_id IN (?)", ended)


def _save_work(c: SQLiteCursor, changes: Changes) -> None:
    kept = [item for item in changes.items.values() if item is not None]
    insert_rows(c, f"INSERT OR REPLACE INTO work ({WORK_COLUMNS})", 11, kept)
    for queue in get_args(Queue):
        done = [key[1] for key, item in changes.items.items() if item is None and key[0] == queue]
        delete_by_keys(c, f"DELETE FROM work WHERE queue = '{queue}' AND item_id IN (?)", done)  # noqa: S608


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
