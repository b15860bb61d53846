"""Which waiting job runs next."""

from collections import Counter
from itertools import islice
from typing import Any

import pytest

from domain.inference.events import LANES, Lane
from domain.ports.work_queue import WorkItem
from workers.scheduler import MAX_COST, QUANTUM, Scheduler

PLENTY = 1_000_000


def item(account: str, position: int, **changes: Any) -> WorkItem:
    fields: dict[str, Any] = {
        "queue": "dispatch",
        "item_id": f"{account}-{position}",
        "account_id": account,
        "lane": "standard",
        "position": position,
        "cost": QUANTUM,
        "due_at": 0,
        "deadline_at": None,
    }
    return WorkItem(**{**fields, **changes})


def scheduler(*items: WorkItem, per_account: int = PLENTY) -> Scheduler:
    made = Scheduler(per_account)
    for one in items:
        made.add(one)
    return made


def taken(source: Scheduler) -> list[WorkItem]:
    """Everything that may run, in the order in which it would be started."""
    return list(iter(source.next, None))


def accounts(items: list[WorkItem]) -> list[str]:
    return [one.account_id for one in items]


def test_an_empty_scheduler_has_nothing_to_run() -> None:
    assert scheduler().next() is None


def test_every_item_is_taken_once() -> None:
    items = [item(account, n) for n in range(20) for account in ("a", "b", "c")]
    ids = [one.item_id for one in taken(scheduler(*items))]
    assert sorted(ids) == sorted(one.item_id for one in items)


def test_within_an_account_the_earlier_acceptance_goes_first() -> None:
    items = [item("a", n) for n in (3, 1, 2)]
    assert [one.position for one in taken(scheduler(*items))] == [1, 2, 3]


def test_within_an_account_the_earlier_deadline_goes_first() -> None:
    items = [item("a", 1), item("a", 2, deadline_at=200), item("a", 3, deadline_at=100)]
    assert [one.position for one in taken(scheduler(*items))] == [3, 2, 1]


def test_ten_thousand_jobs_of_one_account_do_not_delay_anothers_one() -> None:
    waiting = scheduler(*(item("busy", n) for n in range(10_000)))
    started = list(islice(iter(waiting.next, None), 50))
    waiting.add(item("small", 10_000))
    assert "small" in accounts([*islice(iter(waiting.next, None), 3)])
    assert accounts(started) == ["busy"] * 50


def test_small_jobs_of_one_account_delay_another_by_a_turn_at_most() -> None:
    cost = QUANTUM // 16
    waiting = scheduler(*(item("busy", n, cost=cost) for n in range(10_000)))
    waiting.add(item("small", 10_000, cost=cost))
    assert "small" in accounts([*islice(iter(waiting.next, None), 2 * 16 + 1)])


def test_accounts_get_the_same_share_of_tokens_whatever_the_size_of_their_jobs() -> None:
    large = [item("large", n, cost=4 * QUANTUM) for n in range(1000)]
    small = [item("small", n, cost=QUANTUM // 4) for n in range(16_000)]
    served: Counter[str] = Counter()
    for one in islice(iter(scheduler(*large, *small).next, None), 1700):
        served[one.account_id] += one.cost
    assert abs(served["large"] - served["small"]) <= 8 * QUANTUM


def test_a_job_beyond_every_size_is_run_all_the_same() -> None:
    waiting = scheduler(item("a", 1, cost=1000 * MAX_COST), item("b", 2))
    assert sorted(accounts(taken(waiting))) == ["a", "b"]


def test_an_account_that_comes_back_brings_no_saved_turns() -> None:
    waiting = scheduler(*(item("a", n) for n in range(100)), item("b", 100))
    taken(waiting)
    for n in range(10):
        waiting.add(item("b", 200 + n))
        waiting.add(item("a", 300 + n))
    assert Counter(accounts([*islice(iter(waiting.next, None), 10)])) == {"a": 5, "b": 5}


def test_no_account_passes_its_cap() -> None:
    waiting = scheduler(*(item("a", n) for n in range(10)), item("b", 10), per_account=2)
    assert Counter(accounts(taken(waiting))) == {"a": 2, "b": 1}


def test_a_finished_job_frees_its_accounts_slot() -> None:
    waiting = scheduler(*(item("a", n) for n in range(3)), per_account=1)
    first = waiting.next()
    assert first is not None
    assert waiting.next() is None
    waiting.finished(first)
    assert waiting.next() is not None


def test_an_account_at_its_cap_does_not_hold_its_lane_up() -> None:
    waiting = scheduler(item("a", 1), item("a", 2), item("b", 3), per_account=1)
    assert sorted(accounts(taken(waiting))) == ["a", "b"]


@pytest.mark.parametrize("lane", LANES)
def test_a_lane_alone_gets_everything(lane: Lane) -> None:
    waiting = scheduler(*(item("a", n, lane=lane) for n in range(20)))
    assert len(taken(waiting)) == 20


def test_lanes_share_by_weight() -> None:
    waiting = scheduler(*(item("a", n, lane=lane) for lane in LANES for n in range(1000)))
    served = Counter(one.lane for one in islice(iter(waiting.next, None), 210))
    assert served == {"interactive": 160, "standard": 40, "batch": 10}


def test_a_batch_is_never_starved() -> None:
    waiting = scheduler(*(item("a", n, lane="interactive") for n in range(1000)))
    waiting.add(item("b", 1000, lane="batch"))
    assert "batch" in {one.lane for one in islice(iter(waiting.next, None), 21)}


def test_a_batch_does_not_delay_an_interactive_job() -> None:
    waiting = scheduler(*(item("a", n, lane="batch") for n in range(1000)))
    [*islice(iter(waiting.next, None), 100)]
    waiting.add(item("b", 1000, lane="interactive"))
    assert "interactive" in {one.lane for one in islice(iter(waiting.next, None), 2)}


def test_asking_in_vain_changes_no_lanes_share() -> None:
    source = scheduler(*(item("busy", n, lane="interactive") for n in range(2)), per_account=1)
    running = source.next()
    assert running is not None
    assert all(source.next() is None for _ in range(1_000))
    source.finished(running)
    for lane in LANES:
        for n in range(500):
            source.add(item(f"{lane}-{n}", n, lane=lane))
    lanes = Counter(one.lane for one in islice(iter(source.next, None), 210))
    assert lanes["standard"] >= 30
    assert lanes["batch"] >= 8


def test_items_that_are_somebody_elses_now_are_taken_out() -> None:
    items = [item(account, n, lane=lane) for n, lane in enumerate(LANES) for account in ("a", "b")]
    source = scheduler(*items)
    gone = source.discard(lambda item_id, lane: item_id.startswith("a") or lane == "batch")
    assert {(one.account_id, one.lane) for one in gone} == {("b", "interactive"), ("b", "standard")}
    left = taken(source)
    assert len(gone) + len(left) == len(items)
    assert source.next() is None


def test_what_is_left_of_an_account_keeps_its_order() -> None:
    source = scheduler(*(item("a", n) for n in (5, 3, 1, 4, 2)))
    source.discard(lambda item_id, _lane: item_id not in {"a-1", "a-4"})
    assert [one.position for one in taken(source)] == [2, 3, 5]
