"""Which waiting job runs next: lanes by weight, accounts by deficit round robin.

Within an account earlier deadlines go first, then earlier acceptance. Every operation costs in
proportion to the accounts that wait, never to the jobs.
"""

import heapq
from collections import Counter, deque
from collections.abc import Mapping

from domain.inference.events import LANES, Lane
from domain.ports.work_queue import IsOurs, WorkItem

# A turn's worth of tokens. An account whose next job costs more saves up over several turns.
QUANTUM = 4_096
MAX_COST = 16 * QUANTUM
LANE_WEIGHTS: Mapping[Lane, int] = {"interactive": 16, "standard": 4, "batch": 1}
NO_DEADLINE = 2**62


class _LaneQueue:
    """One lane: accounts take turns, each with a deficit that its jobs are paid from."""

    def __init__(self) -> None:
        self._turns: deque[str] = deque()
        self._waiting: dict[str, list[tuple[int, int, str, WorkItem]]] = {}
        self._deficit: dict[str, int] = {}

    @property
    def busy(self) -> bool:
        return bool(self._turns)

    def add(self, item: WorkItem) -> None:
        if item.account_id not in self._waiting:
            self._waiting[item.account_id] = []
            self._deficit[item.account_id] = 0
            self._turns.append(item.account_id)
        deadline = NO_DEADLINE if item.deadline_at is None else item.deadline_at
        heapq.heappush(
            self._waiting[item.account_id], (deadline, item.position, item.item_id, item)
        )

    def next(self, running: Mapping[str, int], per_account: int) -> WorkItem | None:
        """The next item of an account below its cap, or None."""
        capped = 0
        while capped < len(self._turns):
            account = self._turns[0]
            if running.get(account, 0) >= per_account:
                capped += 1
                self._turns.rotate(-1)
                continue
            cost = min(self._waiting[account][0][3].cost, MAX_COST)
            if self._deficit[account] >= cost:
                return self._take(account, cost)
            self._deficit[account] += QUANTUM
            self._turns.rotate(-1)
            capped = 0
        return None

    def discard(self, is_ours: IsOurs) -> list[WorkItem]:
        """Takes out every item that is not ours."""
        discarded: list[WorkItem] = []
        for account, waiting in list(self._waiting.items()):
            items = [entry[3] for entry in waiting]
            gone = {item.item_id for item in items if not is_ours(item.item_id, item.lane)}
            if not gone:
                continue
            discarded += [item for item in items if item.item_id in gone]
            waiting[:] = [entry for entry in waiting if entry[2] not in gone]
            heapq.heapify(waiting)
            if not waiting:
                self._forget(account)
        return discarded

    def _take(self, account: str, cost: int) -> WorkItem:
        item = heapq.heappop(self._waiting[account])[3]
        self._deficit[account] -= cost
        if not self._waiting[account]:
            self._forget(account)
        return item

    def _forget(self, account: str) -> None:
        del self._waiting[account], self._deficit[account]
        self._turns.remove(account)


class Scheduler:
    """Waiting items, and the choice of the next; `finished` frees an account's slot."""

    def __init__(self, per_account: int) -> None:
        self._per_account = per_account
        self._lanes = {lane: _LaneQueue() for lane in LANES}
        self._credit: dict[Lane, int] = dict.fromkeys(LANES, 0)
        self._running: Counter[str] = Counter()

    def add(self, item: WorkItem) -> None:
        """Takes an item in."""
        self._lanes[item.lane].add(item)

    def next(self) -> WorkItem | None:
        """Takes the next item out, or None when none may run."""
        lanes = self._by_turn()
        for lane in lanes:
            item = self._lanes[lane].next(self._running, self._per_account)
            if item is not None:
                self._account_for(lane, lanes)
                self._running[item.account_id] += 1
                return item
        return None

    def discard(self, is_ours: IsOurs) -> list[WorkItem]:
        """Takes out the waiting items that are not ours, and returns them."""
        return [item for lane in self._lanes.values() for item in lane.discard(is_ours)]

    def finished(self, item: WorkItem) -> None:
        """Frees the slot that `next` gave to the item's account."""
        self._running[item.account_id] -= 1
        if not self._running[item.account_id]:
            del self._running[item.account_id]

    def _by_turn(self) -> list[Lane]:
        """Lanes that have work, the one furthest below its share first (smooth weighted)."""
        busy: list[Lane] = [lane for lane in LANES if self._lanes[lane].busy]
        return sorted(busy, key=lambda lane: -(self._credit[lane] + LANE_WEIGHTS[lane]))

    def _account_for(self, taken: Lane, busy: list[Lane]) -> None:
        """Every lane that had work gets its weight; the one that was served pays for all."""
        for lane in busy:
            self._credit[lane] += LANE_WEIGHTS[lane]
        self._credit[taken] -= sum(LANE_WEIGHTS[lane] for lane in busy)
