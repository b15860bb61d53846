"""What a node records of its helpers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.sqlite.event_store import SqliteEventStore
from domain.event import Event
from domain.governance.events import HelperDegraded, HelperRestored
from domain.ports.event_store import Unreadable
from tests.support.helpers import eventually
from tests.support.manual_clock import ManualClock
from tests.support.stores import opened_store
from workers.helpers_health import MOST_WAITING, HelpersHealth


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteEventStore]:
    async with opened_store(tmp_path / "events.db") as opened:
        yield opened


async def recorded(store: SqliteEventStore) -> list[Event]:
    entries = await store.read_log(0, 1_000)
    return [entry.event for entry in entries if not isinstance(entry, Unreadable)]


async def test_a_loss_and_a_return_are_events(store: SqliteEventStore) -> None:
    clock = ManualClock()
    health = HelpersHealth(store, clock, "node-1")
    health.changed("limits", "TimeoutError: no answer in time")
    await health.flush()
    clock.pass_seconds(2.5)
    health.changed("limits", None)
    await health.flush()
    assert await recorded(store) == [
        HelperDegraded(node_id="node-1", helper="limits", reason="TimeoutError: no answer in time"),
        HelperRestored(node_id="node-1", helper="limits", degraded_ms=2_500),
    ]


async def test_changes_are_recorded_as_they_come(store: SqliteEventStore) -> None:
    health = HelpersHealth(store, ManualClock(), "node-1")
    running = asyncio.create_task(health.run())
    health.changed("signals", "gone")
    await eventually(lambda: store.log.head() == 1)
    health.changed("signals", None)
    await eventually(lambda: store.log.head() == 2)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_nothing_changed_records_nothing(store: SqliteEventStore) -> None:
    await HelpersHealth(store, ManualClock(), "node-1").flush()
    assert store.log.head() == 0


async def test_a_store_that_is_away_costs_the_event_and_nothing_else(
    tmp_path: Path,
) -> None:
    async with opened_store(tmp_path / "closed.db") as closed:
        health = HelpersHealth(closed, ManualClock(), "node-1")
    running = asyncio.create_task(health.run())
    health.changed("signals", "gone")
    await eventually(lambda: not health._waiting)
    await asyncio.sleep(0.02)
    assert not running.done()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_no_more_changes_wait_than_a_bound(store: SqliteEventStore) -> None:
    health = HelpersHealth(store, ManualClock(), "node-1")
    for _ in range(MOST_WAITING):
        health.changed("limits", "gone")
        health.changed("limits", None)
    await health.flush()
    assert store.log.head() == MOST_WAITING
