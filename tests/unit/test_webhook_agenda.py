"""The agenda of the deliverer."""

from workers.webhooks.agenda import Agenda, Item

ITEM = Item("whd_1", "acct_1")
OTHER = Item("whd_2", "acct_1")


def test_items_come_in_the_order_in_which_they_are_due() -> None:
    agenda = Agenda()
    agenda.put(OTHER, 20)
    agenda.put(ITEM, 10)
    assert [agenda.take(30), agenda.take(30), agenda.take(30)] == [ITEM, OTHER, None]


def test_an_item_is_not_taken_before_it_is_due() -> None:
    agenda = Agenda()
    agenda.put(ITEM, 10)
    assert agenda.take(9) is None


def test_the_last_time_given_counts() -> None:
    agenda = Agenda()
    agenda.put(ITEM, 10)
    agenda.put(ITEM, 50)
    assert (agenda.take(49), agenda.take(50)) == (None, ITEM)


def test_an_item_put_twice_is_taken_once() -> None:
    agenda = Agenda()
    agenda.put(ITEM, 10)
    agenda.put(ITEM, 10)
    assert (agenda.take(10), agenda.take(10)) == (ITEM, None)


def test_an_item_in_hand_is_not_taken_again() -> None:
    agenda = Agenda()
    agenda.put(ITEM, 10)
    agenda.take(10)
    agenda.put(ITEM, 10)
    assert agenda.take(10) is None


def test_an_item_that_became_due_while_in_hand_is_taken_after_it_was_put_down() -> None:
    agenda = Agenda()
    agenda.put(ITEM, 10)
    agenda.take(10)
    agenda.put(ITEM, 40)
    agenda.put_down(ITEM)
    assert (agenda.next_due(), agenda.take(40)) == (40, ITEM)


def test_an_item_put_down_with_nothing_more_to_do_is_gone() -> None:
    agenda = Agenda()
    agenda.put(ITEM, 10)
    agenda.take(10)
    agenda.put_down(ITEM)
    assert (agenda.next_due(), len(agenda)) == (None, 0)


def test_an_item_that_was_withdrawn_is_not_taken() -> None:
    agenda = Agenda()
    agenda.put(ITEM, 10)
    agenda.put(OTHER, 20)
    agenda.withdraw(lambda item: item == ITEM)
    assert (agenda.take(30), agenda.take(30)) == (OTHER, None)


def test_an_item_that_is_withdrawn_in_hand_is_no_longer_held_and_never_due_again() -> None:
    agenda = Agenda()
    agenda.put(ITEM, 10)
    agenda.take(10)
    agenda.put(ITEM, 20)
    agenda.withdraw(lambda item: item == ITEM)
    assert not agenda.holds(ITEM)
    agenda.put_down(ITEM)
    assert agenda.take(30) is None


def test_a_withdrawn_item_that_comes_back_is_held_again() -> None:
    agenda = Agenda()
    agenda.put(ITEM, 10)
    agenda.take(10)
    agenda.withdraw(lambda item: item == ITEM)
    agenda.put(ITEM, 20)
    assert agenda.holds(ITEM)
    agenda.put_down(ITEM)
    assert agenda.take(20) == ITEM
