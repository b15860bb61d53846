"""The system clock and time-ordered random ids."""

import random
import time

from domain.ids import Kind


class SystemClock:
    """Wall and monotonic time of this machine."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class TimeOrderedIds:
    """Ids of 48 bits of Unix milliseconds and 80 random bits, in hexadecimal.

    An id names a thing and opens nothing, so the fast generator serves; it is seeded from the
    system's. Safe for threads.
    """

    def __init__(self) -> None:
        self._random = random.Random()  # noqa: S311 - see above

    def new(self, kind: Kind) -> str:
        fresh = time.time_ns() // 1_000_000 << 80 | self._random.getrandbits(80)
        return kind + "_" + fresh.to_bytes(16, "big").hex()
