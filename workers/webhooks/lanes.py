"""Lanes: how many deliveries of an account run to one host, and which wait for a place there."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable

from workers.webhooks.agenda import Item

Lane = tuple[str, str]


class Lanes:
    """Each account has a lane of its own to every host, so that none waits for another's."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._taken: Counter[Lane] = Counter()
        self._waiting: defaultdict[Lane, deque[Item]] = defaultdict(deque)
        self._lane_of: dict[Item, Lane] = {}

    def enter(self, item: Item, host: str) -> bool:
        """Whether the item has a place; if not, it waits until `leave` gives it one."""
        if item in self._lane_of:
            return True
        lane = (item.account_id, host)
        if self._taken[lane] >= self._places:
            self._waiting[lane].append(item)
            return False
        self._taken[lane] += 1
        self._lane_of[item] = lane
        return True

    def leave(self, item: Item) -> Item | None:
        """Gives up the item's place, if it has one; returns the item that has it now, if any."""
        lane = self._lane_of.pop(item, None)
        if lane is None:
            return None
        if waiting := self._waiting.get(lane):
            successor = waiting.popleft()
            self._lane_of[successor] = lane
            return successor
        self._free(lane)
        return None

    def withdraw(self, is_gone: Callable[[Item], bool]) -> list[Item]:
        """Takes out the items that wait for a place and are gone, and returns them."""
        gone: list[Item] = []
        for lane, waiting in self._waiting.items():
            gone += (item for item in waiting if is_gone(item))
            self._waiting[lane] = deque(item for item in waiting if not is_gone(item))
        return gone

    def _free(self, lane: Lane) -> None:
        self._taken[lane] -= 1
        if not self._taken[lane]:
            del self._taken[lane]
            self._waiting.pop(lane, None)
