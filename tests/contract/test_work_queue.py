"""The laws of `domain/ports/work_queue.py`: of the rows in either store, of the queue in SQLite's.

The queue of the cluster is held to them in `tests/integration/test_kafka_work_queue.py`.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sqlite.event_store import SqliteEventStore
from domain.effects import Done, Enqueue, Lease, Renew, Requeue, WorkEffect
from domain.errors import VersionConflict
from domain.ports.event_store import StreamWrite
from domain.ports.work_queue import WorkItem
from tests.support.store_places import AnyStore, StorePlace
from tests.support.stores import ACCOUNT, accepted, appending, job_id, opened_store


@pytest.fixture
async def store(place: StorePlace) -> AsyncIterator[AnyStore]:
    async with place.opened() as opened:
        yield opened


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[SqliteEventStore]:
    async with opened_store(tmp_path / "events.db") as opened:
        yield opened


def item(number: int, *, position: int | None = None) -> Enqueue:
    place = number if position is None else position
    return Enqueue("dispatch", job_id(number), ACCOUNT, "standard", place, cost=7, deadline_at=99)


def lease(number: int, lease_id: str = "lease_1", until: int = 50) -> Lease:
    return Lease("dispatch", job_id(number), lease_id, "worker", until)


def renewal(number: int, until: int = 80) -> Renew:
    return Renew("dispatch", job_id(number), "lease_1", until)


async def do(store: AnyStore, *effects: WorkEffect) -> None:
    await store.append(appending(work=effects))


async def waiting(store: AnyStore) -> list[str]:
    return [entry.item_id for entry in await store.backlog("dispatch")]


async def test_the_backlog_is_in_position_order(store: AnyStore) -> None:
    """Law 1."""
    await do(store, item(3), item(1))
    await do(store, item(2))
    assert await waiting(store) == [job_id(1), job_id(2), job_id(3)]


async def test_an_item_keeps_everything_that_it_came_with(store: AnyStore) -> None:
    """Law 1."""
    await do(store, item(1))
    assert await store.backlog("dispatch") == [
        WorkItem("dispatch", job_id(1), ACCOUNT, "standard", 1, 7, 0, 99)
    ]


async def test_a_leased_item_is_in_the_backlog(store: AnyStore) -> None:
    """Law 1."""
    await do(store, item(1), lease(1))
    (entry,) = await store.backlog("dispatch")
    assert (entry.lease_id, entry.leased_until, entry.starts) == ("lease_1", 50, 1)


async def test_an_item_that_is_done_is_not(store: AnyStore) -> None:
    """Law 1."""
    await do(store, item(1), item(2))
    await do(store, Done("dispatch", job_id(1)))
    assert await waiting(store) == [job_id(2)]


async def test_queues_do_not_mix(store: AnyStore) -> None:
    """Law 1."""
    await do(store, item(1), Enqueue("webhooks", job_id(1), ACCOUNT, "standard", 1))
    await do(store, Done("webhooks", job_id(1)))
    assert await waiting(store) == [job_id(1)]
    assert await store.backlog("webhooks") == []


async def test_the_backlog_outlives_the_process(place: StorePlace) -> None:
    """Law 1."""
    async with place.opened() as store:
        await do(store, item(1), lease(1))
        before = await store.backlog("dispatch")
    async with place.opened() as store:
        assert await store.backlog("dispatch") == before


async def test_a_subscriber_gets_what_is_enqueued_and_requeued(embedded: SqliteEventStore) -> None:
    """Law 2."""
    received: list[tuple[str, int]] = []
    await do(embedded, item(1))
    embedded.subscribe("dispatch", lambda entry: received.append((entry.item_id, entry.due_at)))
    await do(embedded, item(2))
    await do(embedded, lease(2))
    await do(embedded, Requeue("dispatch", job_id(2), due_at=8))
    assert received == [(job_id(2), 0), (job_id(2), 8)]


async def test_a_subscriber_gets_nothing_of_a_refused_append(embedded: SqliteEventStore) -> None:
    """Law 2: only once the append is durable."""
    received: list[WorkItem] = []
    embedded.subscribe("dispatch", received.append)
    with pytest.raises(VersionConflict):
        await embedded.append(appending(StreamWrite("s", 5, (accepted(1),)), work=(item(1),)))
    await do(embedded, item(2))
    assert [entry.item_id for entry in received] == [job_id(2)]


async def test_what_a_subscriber_gets_is_durable(
    embedded: SqliteEventStore, tmp_path: Path
) -> None:
    """Law 2."""
    heads: list[int] = []

    def receive(_item: WorkItem) -> None:
        heads.append(embedded.log.head())

    embedded.subscribe("dispatch", receive)
    await embedded.append(appending(StreamWrite(job_id(1), 0, (accepted(1),)), work=(item(1),)))
    assert heads == [1]


async def test_enqueueing_again_changes_nothing(embedded: SqliteEventStore) -> None:
    """Law 3."""
    received: list[WorkItem] = []
    await do(embedded, item(1), lease(1))
    before = await embedded.backlog("dispatch")
    embedded.subscribe("dispatch", received.append)
    await do(embedded, item(1, position=9))
    assert await embedded.backlog("dispatch") == before
    assert received == []


async def test_a_requeued_item_has_no_lease_and_keeps_its_starts(store: AnyStore) -> None:
    await do(store, item(1), lease(1), Requeue("dispatch", job_id(1)))
    (entry,) = await store.backlog("dispatch")
    assert (entry.lease_id, entry.leased_until, entry.starts) == (None, None, 1)


async def test_renewing_a_lease_is_not_another_start(store: AnyStore) -> None:
    await do(store, item(1), lease(1))
    await do(store, renewal(1, until=80))
    (entry,) = await store.backlog("dispatch")
    assert (entry.lease_id, entry.starts, entry.leased_until) == ("lease_1", 1, 80)


async def test_another_lease_is_another_start(store: AnyStore) -> None:
    await do(store, item(1), lease(1))
    await do(store, lease(1, "lease_2", until=90))
    (entry,) = await store.backlog("dispatch")
    assert (entry.starts, entry.leased_until) == (2, 90)


async def test_a_lease_that_was_lost_is_not_taken_back(store: AnyStore) -> None:
    """Law 5."""
    await do(store, item(1), lease(1), Requeue("dispatch", job_id(1)))
    await do(store, renewal(1, until=80))
    (given_back,) = await store.backlog("dispatch")
    await do(store, lease(1, "lease_2", until=90))
    await do(store, renewal(1, until=100))
    (taken,) = await store.backlog("dispatch")
    assert given_back.lease_id is None
    assert (taken.lease_id, taken.starts, taken.leased_until) == ("lease_2", 2, 90)


async def test_rows_are_found_by_their_ids(store: AnyStore) -> None:
    """Law 1 of `WorkRows`."""
    await do(store, item(1), item(2), item(3), lease(3))
    await do(store, Done("dispatch", job_id(2)))
    found = await store.items("dispatch", [job_id(n) for n in (1, 2, 3, 4)])
    assert {entry.item_id: entry.lease_id for entry in found} == {
        job_id(1): None,
        job_id(3): "lease_1",
    }
    assert await store.items("dispatch", []) == []


async def test_waiting_rows_come_page_by_page(store: AnyStore) -> None:
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
    embedded: SqliteEventStore, effect: WorkEffect
) -> None:
    received: list[WorkItem] = []
    embedded.subscribe("dispatch", received.append)
    await do(embedded, effect)
    assert (await waiting(embedded), received) == ([], [])


async def test_only_lapsed_leases_are_lapsed(store: AnyStore) -> None:
    """Law 4."""
    await do(store, item(1), item(2), item(3))
    await do(store, lease(1, until=1_000), lease(2, until=2_000))
    assert [entry.item_id for entry in await store.lapsed("dispatch", 1_500)] == [job_id(1)]
