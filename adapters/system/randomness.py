"""Random bytes from the system, fetched many at a time."""

import os
import threading

POOL_BYTES = 8_192


class RandomPool:
    """Hands out bytes of the system's generator, each once. Safe for threads, not for forks.

    A call into the system for a dozen bytes gives up the interpreter lock, and beside a busy
    writer thread that costs far more than the bytes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool = b""
        self._used = 0

    def take(self, count: int) -> bytes:
        """`count` fresh bytes, at most `POOL_BYTES`."""
        with self._lock:
            end = self._used + count
            if end > len(self._pool):
                self._pool, end = os.urandom(POOL_BYTES), count
            self._used = end
            return self._pool[end - count : end]
