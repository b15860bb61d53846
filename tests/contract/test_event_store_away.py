"""The laws of `domain/ports/event_store.py` where a store is away, busy, or left in the middle."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.postgres.event_store import PostgresEventStore
from domain.errors import StoreUnavailable
from domain.event import Recorded
from tests.support.store_places import AnyStore, StorePlace
from tests.support.stores import (
    accepted,
    cancelled,
    job_id,
    write,
)


@pytest.fixture
async def store(place: StorePlace) -> AsyncIterator[AnyStore]:
    async with place.opened() as opened:
        yield opened


async def test_a_store_that_cannot_write_says_so(store: AnyStore, place: StorePlace) -> None:
    """Law 7."""
    with place.beside() as execute:
        execute("DROP TABLE stored_events")
    with pytest.raises(StoreUnavailable):
        await write(store, job_id(1), accepted(1))


async def test_a_store_that_cannot_read_says_so(store: AnyStore, place: StorePlace) -> None:
    """Law 7."""
    with place.beside() as execute:
        execute("DROP TABLE stored_events")
    with pytest.raises(StoreUnavailable):
        await store.read_log(0, 10)


async def test_a_closed_store_takes_nothing(place: StorePlace) -> None:
    """Law 7."""
    async with place.opened() as store:
        pass
    with pytest.raises(StoreUnavailable):
        await write(store, job_id(1), accepted(1))


async def test_an_append_whose_caller_left_is_recorded_whole_or_not_at_all(
    place: StorePlace,
) -> None:
    """Law 1."""
    async with place.opened() as store:
        leaving = asyncio.create_task(write(store, job_id(1), accepted(1), cancelled(1)))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        (recorded,) = await write(store, job_id(2), accepted(2))
    async with place.opened() as store:
        log = await store.read_log(0, 10)
    assert [e.position for e in log if isinstance(e, Recorded)][-1] == recorded.position
    assert len(log) in {1, 3}


async def test_an_event_that_cannot_be_encoded_is_refused_alone(store: AnyStore) -> None:
    """Law 2: whatever else is committed beside it."""
    bad = replace(accepted(1), requested_model="\ud800")
    refused, kept = await asyncio.gather(
        write(store, job_id(1), bad), write(store, job_id(2), accepted(2)), return_exceptions=True
    )
    assert isinstance(refused, Exception)
    assert not isinstance(kept, BaseException)
    assert [entry.position for entry in await store.read_log(0, 10)] == [1]


async def test_a_write_lock_of_another_process_is_waited_for(
    store: AnyStore, place: StorePlace
) -> None:
    """Law 7 is for a store that stays away, not for one that is busy for a moment."""
    with place.beside() as execute:
        if isinstance(store, PostgresEventStore):
            execute("BEGIN")
            execute("UPDATE log_head SET position = position")
        else:
            execute("BEGIN IMMEDIATE")
        append = asyncio.ensure_future(write(store, job_id(1), accepted(1)))
        done, _ = await asyncio.wait({append}, timeout=0.1)
        assert not done
        execute("COMMIT")
    assert (await append)[0].position == 1


async def test_a_store_that_is_back_is_seen_to_be_back_while_idle(
    store: AnyStore, place: StorePlace
) -> None:
    """Law 7."""
    with place.beside() as execute:
        execute("ALTER TABLE wallets RENAME TO hidden")
        with pytest.raises(StoreUnavailable):
            await write(store, job_id(1), accepted(1))
        assert not store.is_available()
        execute("ALTER TABLE hidden RENAME TO wallets")
    async with asyncio.timeout(10):
        while not store.is_available():
            await asyncio.sleep(0.01)
