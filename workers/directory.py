"""Keeps in-memory directories in step with the log."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence

from domain.errors import UndecodableEvent
from domain.event import Event, Recorded
from domain.following import follow
from domain.ports.event_store import EventStore, LogEntry, Unreadable
from domain.ports.log import Log

PAGE = 1000


class DirectoryFollower:
    """Applies the named events, each once and in order: first the past ones, then as they come.

    An event that cannot be decoded stops it with `UndecodableEvent`: a key directory that missed a
    revocation must not serve. Whoever runs it ends the node then. A log that cannot be read just
    now does not stop it: every entry is still applied, only later.
    """

    def __init__(
        self,
        store: EventStore,
        log: Log,
        names: Sequence[str],
        apply: Callable[[Recorded[Event]], None],
    ) -> None:
        self._store, self._log = store, log
        self._names, self._apply = frozenset(names), apply
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self.position = 0
        self.ready = False

    async def load(self) -> None:
        """Applies everything that the store holds now; then the directory is `ready`."""
        head = await self._store.head()
        while page := await self._store.read_log(self.position, PAGE, tuple(self._names)):
            self.take(page)
        self._advance(max(head, self.position))
        self.ready = True

    async def run(self) -> None:
        """Follows the log until it is cancelled; loads first if that has not been done."""
        await keep_in_step(self._log, (self,))

    async def reached(self, position: int) -> None:
        """Returns once every event up to `position` has been applied here."""
        if self.position >= position:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((position, future))
        await future

    def take(self, entries: Iterable[LogEntry]) -> None:
        """Applies the next entries of the log, or of what it has of the named events."""
        last, names = self.position, self._names
        for entry in entries:
            last = entry.position
            if isinstance(entry, Unreadable):
                self._refuse(entry)
            elif entry.event.event_name in names:
                self._apply(entry)
        self._advance(last)

    def _refuse(self, entry: Unreadable) -> None:
        if entry.event_name in self._names:
            raise UndecodableEvent(f"position {entry.position}, {entry.event_name}: {entry.error}")

    def _advance(self, position: int) -> None:
        self.position = position
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for wanted, future in waiting:
            if wanted > position:
                self._waiting.append((wanted, future))
            elif not future.done():
                future.set_result(None)


async def keep_in_step(log: Log, followers: Collection[DirectoryFollower]) -> None:
    """Follows the log for several directories until cancelled, each as its `run` does.

    One reading serves all: of what is recorded under load, nearly nothing concerns any of them.
    """
    for follower in followers:
        if not follower.ready:
            await follower.load()
    start = min(follower.position for follower in followers)

    def take(entries: Sequence[LogEntry]) -> None:
        for follower in followers:
            first = follower.position - entries[0].position + 1
            follower.take(entries[first:] if first > 0 else entries)

    await follow(log, start, take)
