"""Whoever follows the log sees every entry once, whatever happens to a read."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from adapters.sqlite.event_store import SqliteEventStore
from adapters.store.recent_log import RecentLog
from api.watch import StreamWatch
from domain.access.directory import DIRECTORY_EVENTS
from domain.access.events import KeyCreated
from domain.errors import StoreUnavailable, UndecodableEvent
from domain.following import follow
from domain.ports.event_store import LogEntry, Unreadable
from infra.metrics import EventCounter, exposition
from tests.support.simulated_log import HOLD, SimulatedLog, job_accepted
from tests.support.stores import opened_store
from workers.directory import DirectoryFollower

ACCOUNT = "acct_1"
SOON = 5.0
CREATED = KeyCreated(
    key_id="key_1",
    account_id=ACCOUNT,
    name="ci",
    environment="live",
    prefix="gw_live_",
    last4="abcd",
    key_hash="first",
    scopes=("inference",),
)


class _OnceAway(SimulatedLog):
    """A log whose first read fails."""

    away = True

    async def read(self, after: int, limit: int) -> Sequence[LogEntry]:
        if self.away:
            self.away = False
            raise StoreUnavailable("the disk is away")
        return await super().read(after, limit)


@pytest.fixture
def log() -> _OnceAway:
    return _OnceAway()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteEventStore]:
    """An empty store, which the directories have nothing to load from."""
    async with opened_store(tmp_path / "events.db") as opened:
        yield opened


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Runs what only a cancellation ends; it waits at the end of the log when this is entered."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not is_so():
            await asyncio.sleep(0.005)


async def test_every_entry_after_the_position_comes_once_and_in_order() -> None:
    log, seen = SimulatedLog(), list[int]()
    for _ in range(3):
        log.grant(ACCOUNT, HOLD)
    async with running(follow(log, 1, lambda page: seen.extend(e.position for e in page))):
        log.grant(ACCOUNT, HOLD)
        await until(lambda: len(seen) == 3)
        log.grant(ACCOUNT, HOLD)
        await until(lambda: len(seen) == 4)
    assert seen == [2, 3, 4, 5]


async def test_one_behind_the_recent_log_goes_on_after_reads_that_fail(log: _OnceAway) -> None:
    log.grant(ACCOUNT, HOLD)
    recent, seen = RecentLog(log.read, head=1), list[int]()
    async with running(follow(recent, 0, lambda page: seen.extend(e.position for e in page))):
        await until(lambda: seen == [1])


async def test_what_the_handler_raises_ends_it() -> None:
    log = SimulatedLog()
    log.grant(ACCOUNT, HOLD)

    def refuse(_: Sequence[LogEntry]) -> None:
        raise UndecodableEvent("broken bytes")

    with pytest.raises(UndecodableEvent):
        await asyncio.wait_for(follow(log, 0, refuse), SOON)


async def test_a_watch_wakes_after_a_read_that_failed(log: _OnceAway) -> None:
    watch = StreamWatch(log)
    async with running(watch.run()), watch.watching("job_1") as moved:
        log.grant(ACCOUNT, HOLD)
        log.submit(ACCOUNT, job_accepted("job_1"))
        await asyncio.wait_for(moved.wait(), SOON)


async def test_events_are_counted_once_after_a_read_that_failed(log: _OnceAway) -> None:
    counter = EventCounter(log, CollectorRegistry())
    counted = 'gatewayz_events_total{name="billing.credit.granted"} 1.0'
    async with running(counter.run()):
        log.grant(ACCOUNT, HOLD)
        await until(lambda: counted in exposition(counter.registry).decode())


async def test_a_directory_takes_in_what_came_after_a_read_that_failed(
    store: SqliteEventStore, log: _OnceAway
) -> None:
    seen: list[object] = []
    follower = DirectoryFollower(store, log, DIRECTORY_EVENTS, seen.append)
    async with running(follower.run()):
        recorded = log.append(ACCOUNT, "key_1", CREATED)
        await asyncio.wait_for(follower.reached(1), SOON)
    assert seen == [recorded]


async def test_a_directory_stops_at_an_event_of_its_own_that_cannot_be_decoded(
    store: SqliteEventStore,
) -> None:
    log = SimulatedLog()
    follower = DirectoryFollower(store, log, DIRECTORY_EVENTS, lambda _: None)
    async with running(follower.run()) as task:
        log.add(Unreadable(1, "key_1", "access.key.revoked", b"", "broken bytes"))
        with pytest.raises(UndecodableEvent):
            await asyncio.wait_for(task, SOON)
