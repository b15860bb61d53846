"""Rate-limit counters of one process."""

from collections import OrderedDict

from domain.governance.window import counts, judge, part_at, period_ms
from domain.ports.clock import Clock
from domain.ports.limits import Limit, Taken

COUNTERS = 50_000
# Old counters are dropped as new ones come, a few at a time, so that no take pays for all.
DROPPED_AT_ONCE = 2
Key = tuple[str, int]


class MemoryLimits:
    """`Limits` for one node, exact; used on one event loop.

    It keeps `counters` counters. When more are in use at once, the ones not used for longest
    are forgotten, and their callers start anew.
    """

    def __init__(self, clock: Clock, counters: int = COUNTERS) -> None:
        self._clock, self._counters = clock, counters
        # What was taken in each part; the counter not used for longest first.
        self._windows: OrderedDict[Key, dict[int, int]] = OrderedDict()

    async def take(self, key: str, limit: Limit, cost: int = 1) -> Taken:
        now_ms, period = self._now_ms(), period_ms(limit)
        window = self._window((key, period), now_ms)
        taken = judge(limit, cost, window, now_ms)
        if taken.allowed and cost:
            window[taken.part] = window.get(taken.part, 0) + cost
            self._windows[key, period] = window
            self._drop_old(now_ms)
        return taken

    async def give_back(self, key: str, limit: Limit, taken: Taken, cost: int = 1) -> None:
        window = self._windows.get((key, period_ms(limit)), {})
        if taken.allowed and taken.part in window:
            window[taken.part] = max(0, window[taken.part] - max(0, cost))

    def _now_ms(self) -> int:
        return int(self._clock.monotonic() * 1000)

    def _window(self, key: Key, now_ms: int) -> dict[int, int]:
        """What still counts of this counter, which has been used now."""
        window = self._windows.get(key)
        if window is None:
            return {}
        self._windows.move_to_end(key)
        for part in [part for part in window if not counts(part, now_ms, key[1])]:
            del window[part]
        return window

    def _drop_old(self, now_ms: int) -> None:
        for _ in range(DROPPED_AT_ONCE):
            key, window = next(iter(self._windows.items()))
            newest = max(window, default=part_at(0, key[1]))
            if counts(newest, now_ms, key[1]) and len(self._windows) <= self._counters:
                return
            del self._windows[key]
