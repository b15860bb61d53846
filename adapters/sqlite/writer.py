"""The group-commit writer: one thread, one transaction for all appends that wait."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from eventsourcing.sqlite import SQLiteCursor

from adapters.codec.events import EventCodec
from adapters.sqlite.failures import translated
from adapters.sqlite.recorder import Recorder
from adapters.sqlite.transaction import load, save
from adapters.store.group import Changes, Group
from adapters.store.group_thread import GroupThread, Worked
from domain.errors import StoreUnavailable
from domain.event import Event, Recorded
from domain.ports.clock import Clock, Ids
from domain.ports.event_store import Append

# More would lengthen the commit that everybody waits for; measured, the gain is gone by then.
MAX_GROUP = 500

History = tuple[Recorded[Event], ...]
Committed = Callable[[Changes], None]


class GroupCommitWriter:
    """Takes appends from one event loop and commits them in groups.

    The notice of what was committed comes on that loop before the answers, so that whoever
    awaited an append finds the log already knowing of it.
    """

    def __init__(
        self,
        recorder: Recorder,
        codec: EventCodec,
        clock: Clock,
        ids: Ids,
        committed: Committed,
    ) -> None:
        self._recorder = recorder
        self._codec = codec
        self._clock = clock
        self._ids = ids
        self._committed = committed
        self.is_available = True
        self._thread: GroupThread[Append, History] = GroupThread(
            "event-store-writer", MAX_GROUP, self._commit
        )

    def submit(self, append: Append) -> asyncio.Future[History]:
        """Queues an append; the future ends when it is durable or refused."""
        return self._thread.submit(append)

    async def close(self) -> None:
        """Commits what waits and ends the thread."""
        await self._thread.close()

    def _commit(self, appends: Sequence[Append]) -> Worked[History]:
        try:
            with translated("the event store could not write"):
                worked = self._recorder.transact(lambda c: self._decide_and_save(c, appends))
        except StoreUnavailable:
            self.is_available = False
            raise
        self.is_available = True
        return worked

    def _decide_and_save(self, c: SQLiteCursor, appends: Sequence[Append]) -> Worked[History]:
        state = load(self._recorder, c, appends)
        group = Group(state, self._clock, self._ids, self._codec.encode)
        answers: list[History | Exception] = []
        for append in appends:
            try:
                answers.append(group.add(append))
            except Exception as refusal:  # noqa: BLE001 - what is wrong with one is its own
                answers.append(refusal)
        save(self._recorder, c, group.changes, self._codec)
        return Worked(answers, partial(self._committed, group.changes))
