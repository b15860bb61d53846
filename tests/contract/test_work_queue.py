"""The laws of `domain/ports/work_queue.py`, held by the SQLite store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sqlite.event_store import SqliteEventStore
from domain.effects import Done, Enqueue, Lease, Renew, Requeue, WorkEffect
from domain.errors import VersionConflict
from domain.ports.event_store import StreamWrite
from domain.ports.work_queue import WorkItem
from tests.support.stores import ACCOUNT, accepted, appending, job_id, opened_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteEventStore]:
    async with opened_store(tmp_path / "events.db") as opened:
        yield opened


def item(number: int, *, position: int | None = None) -> Enqueue:
    place = number if position is None else position
    return Enqueue("dispatch", job_id(number), ACCOUNT, "standard", place, cost=7, deadline_at=99)


def lease(number: int, lease_id: str = "lease_1", until: int = 50) -> Lease:
    return Lease("dispatch", job_id(number), lease_id, "worker", until)


def renewal(number: int, until: int = 80) -> Renew:
    return Renew("dispatch", job_id(number), "lease_1", until)


async def do(store: SqliteEventStore, *effects: WorkEffect) -> None:
    await store.append(appending(work=effects))


async def waiting(store: SqliteEventStore) -> list[str]:
    return [entry.item_id for entry in await store.backlog("dispatch")]


async def test_the_backlog_is_in_position_order(store: SqliteEventStore) -> None:
    """Law 1."""
    await do(store, item(3), item(1))
    await do(store, item(2))
    assert await waiting(store) == [job_id(1), job_id(2), job_id(3)]


async def test_an_item_keeps_everything_that_it_came_with(store: SqliteEventStore) -> None:
    """Law 1."""
    await do(store, item(1))
    assert await store.backlog("dispatch") == [
        WorkItem("dispatch", job_id(1), ACCOUNT, "standard", 1, 7, 0, 99)
    ]


async def test_a_leased_item_is_in_the_backlog(store: SqliteEventStore) -> None:
    """Law 1."""
    await do(store, item(1), lease(1))
    (entry,) = await store.backlog("dispatch")
    assert (entry.lease_id, entry.leased_until, entry.starts) == ("lease_1", 50, 1)


async def test_an_item_that_is_done_is_not(store: SqliteEventStore) -> None:
    """Law 1."""
    await do(store, item(1), item(2))
    await do(store, Done("dispatch", job_id(1)))
    assert await waiting(store) == [job_id(2)]


async def test_queues_do_not_mix(store: SqliteEventStore) -> None:
    """Law 1."""
    await do(store, item(1), Enqueue("webhooks", job_id(1), ACCOUNT, "standard", 1))
    await do(store, Done("webhooks", job_id(1)))
    assert await waiting(store) == [job_id(1)]
    assert await store.backlog("webhooks") == []


async def test_the_backlog_outlives_the_process(tmp_path: Path) -> None:
    """Law 1."""
    async with opened_store(tmp_path / "kept.db") as store:
        await do(store, item(1), lease(1))
        before = await store.backlog("dispatch")
    async with opened_store(tmp_path / "kept.db") as store:
        assert await store.backlog("dispatch") == before


async def test_a_subscriber_gets_what_is_enqueued_and_requeued(store: SqliteEventStore) -> None:
    """Law 2."""
    received: list[tuple[str, int]] = []
    await do(store, item(1))
    store.subscribe("dispatch", lambda entry: received.append((entry.item_id, entry.due_at)))
    await do(store, item(2))
    await do(store, lease(2))
    await do(store, Requeue("dispatch", job_id(2), due_at=8))
    assert received == [(job_id(2), 0), (job_id(2), 8)]


async def test_a_subscriber_gets_nothing_of_a_refused_append(store: SqliteEventStore) -> None:
    """Law 2: only once the append is durable."""
    received: list[WorkItem] = []
    store.subscribe("dispatch", received.append)
    with pytest.raises(VersionConflict):
        await store.append(appending(StreamWrite("s", 5, (accepted(1),)), work=(item(1),)))
    await do(store, item(2))
    assert [entry.item_id for entry in received] == [job_id(2)]


async def test_what_a_subscriber_gets_is_durable(store: SqliteEventStore, tmp_path: Path) -> None:
    """Law 2."""
    heads: list[int] = []

    def receive(_item: WorkItem) -> None:
        heads.append(store.log.head())

    store.subscribe("dispatch", receive)
    await store.append(appending(StreamWrite(job_id(1), 0, (accepted(1),)), work=(item(1),)))
    assert heads == [1]


async def test_enqueueing_again_changes_nothing(store: SqliteEventStore) -> None:
    """Law 3."""
    received: list[WorkItem] = []
    await do(store, item(1), lease(1))
    before = await store.backlog("dispatch")
    store.subscribe("dispatch", received.append)
    await do(store, item(1, position=9))
    assert await store.backlog("dispatch") == before
    assert received == []


async def test_a_requeued_item_has_no_lease_and_keeps_its_starts(store: SqliteEventStore) -> None:
    await do(store, item(1), lease(1), Requeue("dispatch", job_id(1)))
    (entry,) = await store.backlog("dispatch")
    assert (entry.lease_id, entry.leased_until, entry.starts) == (None, None, 1)


async def test_renewing_a_lease_is_not_another_start(store: SqliteEventStore) -> None:
    await do(store, item(1), lease(1))
    await do(store, renewal(1, until=80))
    (entry,) = await store.backlog("dispatch")
    assert (entry.lease_id, entry.starts, entry.leased_until) == ("lease_1", 1, 80)


async def test_another_lease_is_another_start(store: SqliteEventStore) -> None:
    await do(store, item(1), lease(1))
    await do(store, lease(1, "lease_2", until=90))
    (entry,) = await store.backlog("dispatch")
    assert (entry.starts, entry.leased_until) == (2, 90)


async def test_a_lease_that_was_lost_is_not_taken_back(store: SqliteEventStore) -> None:
    """Law 5."""
    await do(store, item(1), lease(1), Requeue("dispatch", job_id(1)))
    await do(store, renewal(1, until=80))
    (given_back,) = await store.backlog("dispatch")
    await do(store, lease(1, "lease_2", until=90))
    await do(store, renewal(1, until=100))
    (taken,) = await store.backlog("dispatch")
    assert given_back.lease_id is None
    assert (taken.lease_id, taken.starts, taken.leased_until) == ("lease_2", 2, 90)


async def test_rows_are_found_by_their_ids(store: SqliteEventStore) -> None:
    """Law 1 of `WorkRows`."""
    await do(store, item(1), item(2), item(3), lease(3))
    await do(store, Done("dispatch", job_id(2)))
    found = await store.items("dispatch", [job_id(n) for n in (1, 2, 3, 4)])
    assert {entry.item_id: entry.lease_id for entry in found} == {
        job_id(1): None,
        job_id(3): "lease_1",
    }
    assert await store.items("dispatch", []) == []


async def test_waiting_rows_come_page_by_page(store: SqliteEventStore) -> None:
    """Law 2 of `WorkRows`."""
    await do(store, *(item(n) for n in (4, 2, 1, 3)), lease(2))
    first = await store.waiting("dispatch", 0, 2)
    second = await store.waiting("dispatch", first[-1].position, 2)
    assert [entry.item_id for entry in (*first, *second)] == [job_id(1), job_id(3), job_id(4)]
    assert await store.waiting("dispatch", second[-1].position, 2) == []


@pytest.mark.parametrize(
    "effect", [lease(1), renewal(1), Requeue("dispatch", job_id(1)), Done("dispatch", job_id(1))]
)
async def test_what_happens_to_an_item_that_is_gone_changes_nothing(
    store: SqliteEventStore, effect: WorkEffect
) -> None:
    received: list[WorkItem] = []
    store.subscribe("dispatch", received.append)
    await do(store, effect)
    assert (await waiting(store), received) == ([], [])


async def test_only_lapsed_leases_are_lapsed(store: SqliteEventStore) -> None:
    """Law 4."""
    await do(store, item(1), item(2), item(3))
    await do(store, lease(1, until=1_000), lease(2, until=2_000))
    assert [entry.item_id for entry in await store.lapsed("dispatch", 1_500)] == [job_id(1)]
