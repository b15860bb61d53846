"""The deadlines of waiting jobs: which comes next, in memory that is bounded by what waits."""

import asyncio
import heapq
from contextlib import suppress

# Ended entries are swept out when they outnumber the live ones by this many.
SLACK = 64


class Deadlines:
    """Deadlines in Unix milliseconds by job; used on one event loop."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._live: dict[str, int] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, job_id: str, deadline_at: int) -> None:
        """Takes a deadline in."""
        self._live[job_id] = deadline_at
        heapq.heappush(self._heap, (deadline_at, job_id))
        self._changed.set()

    def discard(self, job_id: str) -> None:
        """Forgets a job that has ended or is gone."""
        self._live.pop(job_id, None)
        if len(self._heap) > 2 * len(self._live) + SLACK:
            self._heap = [(deadline_at, job) for job, deadline_at in self._live.items()]
            heapq.heapify(self._heap)

    def take_due(self, now: int) -> str | None:
        """Takes out one job whose deadline has passed."""
        while self._heap and self._heap[0][0] <= now:
            deadline_at, job_id = heapq.heappop(self._heap)
            if self._live.get(job_id) == deadline_at:
                del self._live[job_id]
                return job_id
        return None

    async def wait(self, now: int) -> None:
        """Returns when the next deadline has come, or another one was added."""
        seconds = (self._heap[0][0] - now) / 1000 if self._heap else None
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()
