"""Turns: which of the deliveries that are due is made next, one account after another."""

from collections import Counter, deque
from collections.abc import Callable

from workers.webhooks.agenda import Item


class Turns:
    """Accounts take turns, one delivery each; at most `per_account` of one run at a time.

    Every operation costs the same, however many accounts and deliveries wait.
    """

    def __init__(self, per_account: int) -> None:
        self._per_account = per_account
        # The accounts whose turn will come: those with something waiting that are below the cap.
        self._turns: deque[str] = deque()
        self._waiting: dict[str, deque[Item]] = {}
        self._running: Counter[str] = Counter()

    def add(self, item: Item) -> None:
        """The item waits behind the others of its account."""
        self._queue_of(item.account_id).append(item)

    def add_first(self, item: Item) -> None:
        """The item waits before the others of its account."""
        self._queue_of(item.account_id).appendleft(item)

    def next(self) -> Item | None:
        """Takes out the next item, which runs until `finished`; None when none may run."""
        if not self._turns:
            return None
        account_id = self._turns.popleft()
        item = self._waiting[account_id].popleft()
        self._running[account_id] += 1
        if not self._waiting[account_id]:
            del self._waiting[account_id]
        elif self._running[account_id] < self._per_account:
            self._turns.append(account_id)
        return item

    def withdraw(self, is_gone: Callable[[Item], bool]) -> list[Item]:
        """Takes out the waiting items that are gone, and returns them."""
        gone = [item for waiting in self._waiting.values() for item in waiting if is_gone(item)]
        for item in gone:
            waiting = self._waiting[item.account_id]
            waiting.remove(item)
            if not waiting:
                del self._waiting[item.account_id]
                if item.account_id in self._turns:
                    self._turns.remove(item.account_id)
        return gone

    def finished(self, item: Item) -> None:
        """The item runs no more."""
        account_id = item.account_id
        if self._running[account_id] == self._per_account and account_id in self._waiting:
            self._turns.append(account_id)
        self._running[account_id] -= 1
        if not self._running[account_id]:
            del self._running[account_id]

    def _queue_of(self, account_id: str) -> deque[Item]:
        if account_id not in self._waiting:
            self._waiting[account_id] = deque()
            if self._running[account_id] < self._per_account:
                self._turns.append(account_id)
        return self._waiting[account_id]
