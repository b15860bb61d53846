"""A directory keeps in step with the log of the embedded store."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.codec.events import EventCodec
from adapters.sqlite.event_store import SqliteEventStore
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.access.directory import DIRECTORY_EVENTS
from domain.access.events import KeyCreated, KeyRevoked
from domain.errors import UndecodableEvent
from domain.event import Event, Recorded, system_origin
from domain.event_types import ALL_EVENTS
from domain.ports.event_store import Append, StreamWrite
from domain.webhooks.events import EndpointDeleted
from workers.directory import DirectoryFollower

CREATED = KeyCreated(
    key_id="key_1",
    account_id="acct_1",
    name="ci",
    environment="live",
    prefix="gw_live_",
    last4="abcd",
    key_hash="first",
    scopes=("inference",),
)
REVOKED = KeyRevoked(key_id="key_1")
OTHER = EndpointDeleted(endpoint_id="whe_1")


def open_store(folder: Path) -> SqliteEventStore:
    codec = EventCodec(ALL_EVENTS)
    path = folder / "events.db"
    return SqliteEventStore(path, codec, SystemClock(), TimeOrderedIds(), "process")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteEventStore]:
    store = open_store(tmp_path)
    yield store
    await store.close()


async def record(store: SqliteEventStore, stream: str, version: int, event: Event) -> int:
    write = StreamWrite(stream, version, (event,))
    (recorded,) = await store.append(Append(system_origin("acct_1", "test", "req_1"), (write,)))
    return recorded.position


def follow(store: SqliteEventStore) -> tuple[DirectoryFollower, list[Recorded[Event]]]:
    seen: list[Recorded[Event]] = []
    return DirectoryFollower(store, store.log, DIRECTORY_EVENTS, seen.append), seen


async def test_loading_applies_the_past_events_of_its_names_in_order(
    store: SqliteEventStore,
) -> None:
    await record(store, "key_1", 0, CREATED)
    await record(store, "whe_1", 0, OTHER)
    await record(store, "key_1", 1, REVOKED)
    last = await record(store, "whe_1", 1, OTHER)
    follower, seen = follow(store)
    assert not follower.ready
    await follower.load()
    assert [one.event for one in seen] == [CREATED, REVOKED]
    assert (follower.ready, follower.position) == (True, last)


async def test_an_empty_store_makes_an_empty_directory(store: SqliteEventStore) -> None:
    follower, seen = follow(store)
    await follower.load()
    assert (follower.ready, follower.position, seen) == (True, 0, [])


async def test_new_events_are_applied_as_they_come_and_each_once(store: SqliteEventStore) -> None:
    await record(store, "key_1", 0, CREATED)
    follower, seen = follow(store)
    running = asyncio.create_task(follower.run())
    await follower.reached(1)
    await record(store, "whe_1", 0, OTHER)
    last = await record(store, "key_1", 1, REVOKED)
    await follower.reached(last)
    assert [one.event for one in seen] == [CREATED, REVOKED]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_waiting_for_a_position_that_was_passed_returns_at_once(
    store: SqliteEventStore,
) -> None:
    await record(store, "key_1", 0, CREATED)
    follower, _ = follow(store)
    await follower.load()
    await follower.reached(1)
    assert follower.position == 1


async def test_an_event_that_cannot_be_read_stops_the_follower(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await record(store, "key_1", 0, CREATED)
    await record(store, "key_1", 1, REVOKED)
    await store.close()
    _damage(tmp_path / "events.db", position=2)

    damaged = open_store(tmp_path)
    follower, _ = follow(damaged)
    with pytest.raises(UndecodableEvent, match=r"position 2, access\.key\.revoked"):
        await follower.load()
    assert not follower.ready
    await damaged.close()


def _damage(path: Path, position: int) -> None:
    database = sqlite3.connect(path)
    ((table,),) = database.execute(
        "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'state'"
        " WHERE m.type = 'table' AND m.name LIKE '%event%'"
    )
    changed = database.execute(f"UPDATE {table} SET state = x'00' WHERE rowid = ?", (position,))  # noqa: S608
    assert changed.rowcount == 1
    database.commit()
    database.close()
