"""The group-commit writer: one thread, one transaction for all appends that wait."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from adapters.store.group_thread import GroupThread, Worked
from domain.errors import StoreUnavailable
from domain.event import Event, Recorded, system_origin
from domain.ids import HOUSE_ACCOUNT
from domain.ports.event_store import Append, Mark

# More would lengthen the commit that everybody waits for; measured, the gain is gone by then.
MAX_GROUP = 500

History = tuple[Recorded[Event], ...]
Answers = list[History | Exception]
# Commits a group; raises `StoreUnavailable` when nothing of it stands.
Commit = Callable[[Sequence[Append]], Worked[History]]


class GroupCommitWriter:
    """Takes appends from one event loop and has them committed in groups.

    The notice of what was committed comes on that loop before the answers, so that whoever
    awaited an append finds the log already knowing of it.
    """

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._could_write = True
        self._probe: asyncio.Future[None] | None = None
        self._thread: GroupThread[Append, History] = GroupThread(
            "event-store-writer", MAX_GROUP, self._commit_group
        )

    def submit(self, append: Append) -> asyncio.Future[History]:
        """Queues an append; the future ends when it is durable or refused."""
        return self._thread.submit(append)

    async def close(self) -> None:
        """Commits what waits and ends the thread."""
        await self._thread.close()

    def is_available(self, now: int) -> bool:
        """Whether the last append could be written.

        After one that could not, each asking tries a small write, so that an idle store is seen
        to be back. `now` is Unix milliseconds.
        """
        if not self._could_write and (self._probe is None or self._probe.done()):
            self._probe = asyncio.ensure_future(self._try_to_write(now))
        return self._could_write and not self._thread.is_stuck

    async def _try_to_write(self, now: int) -> None:
        origin = system_origin(HOUSE_ACCOUNT, "event-store", "probe")
        with suppress(StoreUnavailable):
            await self.submit(Append(origin, mark=Mark("probe", now)))

    def _commit_group(self, appends: Sequence[Append]) -> Worked[History]:
        try:
            worked = self._commit(appends)
        except StoreUnavailable:
            self._could_write = False
            raise
        self._could_write = True
        return worked
