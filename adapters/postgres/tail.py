"""The log as a node of the cluster sees it: its own commits at once, those of others by looking.

Positions become visible in their order, so what lies between the last known one and the head is
all there is, and can be read by position alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

from adapters.store.recent_log import ReadStored, RecentLog
from domain.errors import StoreUnavailable
from domain.ports.event_store import LogEntry
from domain.ports.read_models import entry_id

PAGE = 2_000
AWAY_SECONDS = 0.5
# A look that takes longer is one at a store that hangs.
LOOK_SECONDS = 5.0
# Between two looks, however often it is woken: a busy cluster commits hundreds of times a second.
GAP_SECONDS = 0.004

log = structlog.get_logger(__name__)


class LogRewound(Exception):
    """The store lost its last events, and gives their positions to others.

    A node that has seen them knows what never happened, and must begin anew.
    """


class NodeLog(RecentLog):
    """`Log` of one node. `run` keeps it in step; `wake` makes it look at once."""

    def __init__(self, read_stored: ReadStored, head: int, poll_seconds: float) -> None:
        super().__init__(read_stored, head)
        self._read_page = read_stored
        self._poll_seconds = poll_seconds
        # Everything up to here stands in memory, or stood there; and what its last entry is.
        self._followed = head
        self._last_id: str | None = None
        self._woken = asyncio.Event()
        # Whether the last look failed.
        self.is_away = False

    def wake(self) -> None:
        """Makes the next look happen now."""
        self._woken.set()

    def committed(self, events: Sequence[LogEntry]) -> None:
        """Takes in what this node committed; what others did in between is looked for."""
        if not events:
            return
        if events[0].position == self._followed + 1:
            self._take(events)
        else:
            self._move(events[-1].position)
            self.wake()

    async def run(self) -> None:
        """Follows the store until cancelled. While the store is away it is only late.

        Raises `LogRewound`.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._woken.wait()
            self._woken.clear()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._catch_up()
                self.is_away = False
            except (StoreUnavailable, TimeoutError) as error:
                self.is_away = True
                log.warning("log.away", error=repr(error))
                await asyncio.sleep(AWAY_SECONDS)
            else:
                await asyncio.sleep(GAP_SECONDS)

    async def _catch_up(self) -> None:
        """Reads on from the last known entry, that one included: it must still be the same."""
        full = True
        while full:
            known = self._followed
            page = await self._read_page(max(0, known - 1), PAGE)
            if known and not page:
                raise LogRewound(f"there is nothing at position {known} any more")
            if known and page[0].position == known:
                self._recognise(page[0])
            self._take([entry for entry in page if entry.position > self._followed])
            full = len(page) == PAGE

    def _recognise(self, entry: LogEntry) -> None:
        if entry.position == self._followed and self._last_id not in (None, entry_id(entry)):
            raise LogRewound(f"another event stands at position {entry.position}")

    def _take(self, entries: Sequence[LogEntry]) -> None:
        if entries:
            self._followed = entries[-1].position
            self._last_id = entry_id(entries[-1])
            super().committed(entries)


class HeadLog(NodeLog):
    """`Log` of a node that only wants to know how far the log is; what it reads, it reads from the
    store.
    """

    def __init__(
        self,
        read_stored: ReadStored,
        read_head: Callable[[], Awaitable[int]],
        head: int,
        poll_seconds: float,
    ) -> None:
        super().__init__(read_stored, head, poll_seconds)
        self._read_head = read_head

    def committed(self, events: Sequence[LogEntry]) -> None:
        if events:
            self._move(events[-1].position)

    async def _catch_up(self) -> None:
        known = self._head
        head = await self._read_head()
        if head < known:
            raise LogRewound(f"the log ends at {head}, and was at {known}")
        if head > self._head:
            self._move(head)
