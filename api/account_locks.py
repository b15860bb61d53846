"""One lock an account, for what is counted and then recorded."""

import asyncio
from weakref import WeakValueDictionary


class AccountLocks:
    """Locks of this node alone: two nodes may still pass a limit together by what each adds."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, account_id: str) -> asyncio.Lock:
        """The account's lock; it lasts for as long as anybody holds it or waits for it."""
        return self._locks.setdefault(account_id, asyncio.Lock())
