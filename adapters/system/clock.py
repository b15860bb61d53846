"""The system clock and time-ordered random ids."""

import threading
import time

from adapters.system.randomness import RandomPool
from domain.ids import Kind


class SystemClock:
    """Wall and monotonic time of this machine."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class TimeOrderedIds:
    """Ids of 48 bits of Unix milliseconds and 80 random bits, in hexadecimal.

    Ids made within one millisecond count up from the first, so that they sort in the order of
    their making. Safe for threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._random = RandomPool()
        self._last = 0

    def new(self, kind: Kind) -> str:
        with self._lock:
            fresh = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(self._random.take(10))
            if fresh >> 80 <= self._last >> 80:
                # A random step keeps ids of one millisecond unguessable and in order.
                fresh = self._last + 1 + int.from_bytes(self._random.take(6))
            self._last = fresh
        return kind + f"_{fresh:032x}"
