"""Which delivery is made next: turns of accounts and places at hosts."""

from workers.webhooks.agenda import Item
from workers.webhooks.lanes import Lanes
from workers.webhooks.turns import Turns


def items(account_id: str, count: int) -> list[Item]:
    return [Item(f"whd_{account_id}_{number}", account_id) for number in range(count)]


def started(turns: Turns, most: int = 100) -> list[str]:
    """The accounts of the next turns."""
    taken = (turns.next() for _ in range(most))
    return [item.account_id for item in taken if item is not None]


def waiting(per_account: int, **counts: int) -> Turns:
    turns = Turns(per_account)
    for account_id, count in counts.items():
        for item in items(account_id, count):
            turns.add(item)
    return turns


def test_accounts_take_turns_however_much_each_has_waiting() -> None:
    assert started(waiting(9, many=5, few=2)) == ["many", "few", "many", "few", *["many"] * 3]


def test_an_account_runs_no_more_at_once_than_its_cap() -> None:
    assert started(waiting(2, many=5, few=1)) == ["many", "few", "many"]


def test_a_finished_item_lets_the_next_of_a_capped_account_run() -> None:
    turns = waiting(1, many=2)
    first = turns.next()
    assert first is not None
    turns.finished(first)
    assert turns.next() == items("many", 2)[1]


def test_what_comes_for_an_account_at_its_cap_waits_until_one_has_finished() -> None:
    turns = waiting(1, many=1)
    first = turns.next()
    assert first is not None
    turns.add(late := Item("whd_late", "many"))
    assert turns.next() is None
    turns.finished(first)
    assert turns.next() == late


def test_an_account_with_all_turns_taken_gets_one_place_in_the_round() -> None:
    turns = waiting(2, many=4)
    running = [turns.next(), turns.next()]
    for item in running:
        assert item is not None
        turns.finished(item)
    turns.add(Item("whd_1", "few"))
    assert started(turns) == ["many", "few", "many"]


def test_an_item_added_first_goes_before_the_others_of_its_account() -> None:
    turns = waiting(9, many=2)
    turns.add_first(first := Item("whd_first", "many"))
    assert turns.next() == first


def test_a_full_lane_lets_an_item_wait_and_hands_it_the_place() -> None:
    first, second = items("acct", 2)
    lanes = Lanes(1)
    assert lanes.enter(first, "host")
    assert not lanes.enter(second, "host")
    assert lanes.leave(first) == second
    assert lanes.enter(second, "host")


def test_a_place_that_nobody_waits_for_is_free_again() -> None:
    first, second = items("acct", 2)
    lanes = Lanes(1)
    lanes.enter(first, "host")
    assert lanes.leave(first) is None
    assert lanes.enter(second, "host")


def test_a_lane_belongs_to_one_account_and_one_host() -> None:
    (mine, elsewhere), (others,) = items("mine", 2), items("other", 1)
    lanes = Lanes(1)
    assert lanes.enter(mine, "host")
    assert lanes.enter(elsewhere, "another.host")
    assert lanes.enter(others, "host")


def test_an_item_without_a_place_leaves_nothing_behind() -> None:
    first, second = items("acct", 2)
    lanes = Lanes(1)
    lanes.enter(first, "host")
    assert lanes.leave(second) is None
    assert not lanes.enter(second, "host")


def test_a_withdrawn_item_has_no_turn() -> None:
    turns = waiting(10, a=2, b=1)
    gone = turns.withdraw(lambda item: item.account_id == "a")
    assert [item.account_id for item in gone] == ["a", "a"]
    assert started(turns) == ["b"]


def test_an_account_at_its_cap_has_turns_after_a_withdrawal_as_before() -> None:
    turns = waiting(1, a=3)
    first = turns.next()
    assert first is not None
    turns.withdraw(lambda item: item.delivery_id == "whd_a_1")
    turns.finished(first)
    second = turns.next()
    assert second is not None
    assert second.delivery_id == "whd_a_2"


def test_a_withdrawn_item_gets_no_place() -> None:
    first, second, third = items("acct", 3)
    lanes = Lanes(1)
    lanes.enter(first, "host")
    lanes.enter(second, "host")
    lanes.enter(third, "host")
    assert lanes.withdraw(lambda item: item == second) == [second]
    assert lanes.leave(first) == third
