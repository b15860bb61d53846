"""The agenda: which deliveries are due when, and which are in hand."""

import heapq
from collections.abc import Callable
from typing import NamedTuple


class Item(NamedTuple):
    """A delivery and the account that it is made for."""

    delivery_id: str
    account_id: str


class Agenda:
    """Each item is due once, at the time given last; an item in hand waits until put down.

    Times are Unix milliseconds.
    """

    def __init__(self) -> None:
        self._due: dict[Item, int] = {}
        self._heap: list[tuple[int, Item]] = []
        self._in_hand: set[Item] = set()
        # In hand, but somebody else's to make now.
        self._withdrawn: set[Item] = set()

    def __len__(self) -> int:
        return len(self._due)

    def put(self, item: Item, due_at: int) -> None:
        """Makes the item due at `due_at` and at no other time."""
        self._due[item] = due_at
        self._withdrawn.discard(item)
        if item not in self._in_hand:
            heapq.heappush(self._heap, (due_at, item))

    def next_due(self) -> int | None:
        """When the first item that is not in hand is due."""
        while self._heap and not self._is_current(*self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: int) -> Item | None:
        """The first item that is due, now in hand."""
        due_at = self.next_due()
        if due_at is None or due_at > now:
            return None
        _, item = heapq.heappop(self._heap)
        del self._due[item]
        self._in_hand.add(item)
        return item

    def holds(self, item: Item) -> bool:
        """Whether an item in hand is still ours to make."""
        return item not in self._withdrawn

    def withdraw(self, is_gone: Callable[[Item], bool]) -> None:
        """Forgets the items that are gone; of those in hand it remembers that they are."""
        self._due = {item: due_at for item, due_at in self._due.items() if not is_gone(item)}
        self._withdrawn |= {item for item in self._in_hand if is_gone(item)}

    def put_down(self, item: Item) -> None:
        """The item is no longer in hand; if it was made due meanwhile, that counts now."""
        self._in_hand.discard(item)
        self._withdrawn.discard(item)
        if item in self._due:
            heapq.heappush(self._heap, (self._due[item], item))

    def _is_current(self, due_at: int, item: Item) -> bool:
        return item not in self._in_hand and self._due.get(item) == due_at
