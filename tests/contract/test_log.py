"""The laws of `domain/ports/log.py`, held by the embedded log."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sqlite.event_store import SqliteEventStore
from adapters.store import recent_log as embedded
from tests.support.stores import accepted, cancelled, job_id, opened_store, write


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteEventStore]:
    async with opened_store(tmp_path / "events.db") as opened:
        yield opened


async def fill(store: SqliteEventStore, events: int) -> None:
    for start in range(0, events, 500):
        await asyncio.gather(
            *(write(store, job_id(n), accepted(n)) for n in range(start, min(start + 500, events)))
        )


@pytest.mark.parametrize("limit", [1, 7, 1000])
async def test_entries_come_in_order_without_a_gap(store: SqliteEventStore, limit: int) -> None:
    """Law 1."""
    await fill(store, 50)
    positions: list[int] = []
    while page := await store.log.read(len(positions), limit):
        positions += [entry.position for entry in page]
    assert positions == list(range(1, 51))


async def test_a_reader_far_behind_gets_what_is_no_longer_in_memory(
    store: SqliteEventStore,
) -> None:
    """Law 1."""
    events = 2 * embedded.KEPT + 1_000
    await fill(store, events)
    positions: list[int] = []
    while page := await store.log.read(len(positions), 1_000):
        positions += [entry.position for entry in page]
    assert positions == list(range(1, events + 1))


async def test_what_was_there_before_the_start_is_read(tmp_path: Path) -> None:
    """Law 1."""
    path = tmp_path / "old.db"
    async with opened_store(path) as store:
        await fill(store, 3)
    async with opened_store(path) as store:
        await write(store, job_id(0), cancelled(0), version=1)
        assert [e.position for e in await store.log.read(0, 10)] == [1, 2, 3, 4]


async def test_there_is_nothing_beyond_the_head(store: SqliteEventStore) -> None:
    """Law 1."""
    await fill(store, 3)
    assert await store.log.read(3, 10) == ()
    assert await store.log.read(99, 10) == ()


async def test_waiting_for_what_is_there_returns_at_once(store: SqliteEventStore) -> None:
    """Law 2."""
    await fill(store, 3)
    await asyncio.wait_for(store.log.wait(2), 5)


async def test_waiting_ends_with_the_append(store: SqliteEventStore) -> None:
    """Law 2."""
    waiters = [asyncio.create_task(store.log.wait(0)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(waiter.done() for waiter in waiters)
    await fill(store, 1)
    await asyncio.wait_for(asyncio.gather(*waiters), 5)


async def test_waiting_goes_on_until_the_position_is_passed(store: SqliteEventStore) -> None:
    """Law 2."""
    waiting = asyncio.create_task(store.log.wait(2))
    await fill(store, 2)
    await asyncio.sleep(0)
    assert not waiting.done()
    await write(store, job_id(9), accepted(9))
    await asyncio.wait_for(waiting, 5)


async def test_a_waiter_that_gave_up_disturbs_nobody(store: SqliteEventStore) -> None:
    """Law 2."""
    leaving, staying = (asyncio.create_task(store.log.wait(0)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await fill(store, 1)
    await asyncio.wait_for(staying, 5)


async def test_the_head_is_known_when_an_append_returns(store: SqliteEventStore) -> None:
    await fill(store, 3)
    assert store.log.head() == 3


async def test_one_entry_is_found_by_its_position(store: SqliteEventStore) -> None:
    (recorded,) = await write(store, job_id(1), accepted(1))
    assert await store.log.at(recorded.position) == recorded


@pytest.mark.parametrize("position", [2, 99])
async def test_there_is_no_entry_at_a_position_not_reached(
    store: SqliteEventStore, position: int
) -> None:
    await fill(store, 1)
    with pytest.raises(LookupError):
        await store.log.at(position)
