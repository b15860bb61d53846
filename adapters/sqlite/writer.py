"""How a group of appends is committed to the SQLite file."""

from collections.abc import Callable, Sequence
from functools import partial

from eventsourcing.sqlite import SQLiteCursor

from adapters.codec.events import EventCodec
from adapters.sqlite.failures import translated
from adapters.sqlite.known import Known
from adapters.sqlite.recorder import Recorder
from adapters.sqlite.transaction import save
from adapters.store.group import Changes, Decider
from adapters.store.group_thread import Worked
from adapters.store.writer import History
from domain.ports.event_store import Append

Committed = Callable[[Changes], None]


class SqliteCommit:
    """Commits groups, one transaction each; `committed` is told of what was written."""

    def __init__(
        self, recorder: Recorder, codec: EventCodec, decider: Decider, committed: Committed
    ) -> None:
        self._recorder, self._codec = recorder, codec
        self._decider, self._committed = decider, committed
        self._known = Known()

    def __call__(self, appends: Sequence[Append]) -> Worked[History]:
        """Raises `StoreUnavailable`, and has written nothing then."""
        with translated("the event store could not write"):
            try:
                return self._recorder.transact(lambda c: self._decide_and_save(c, appends))
            except BaseException:
                self._known.forget()
                raise

    def _decide_and_save(self, c: SQLiteCursor, appends: Sequence[Append]) -> Worked[History]:
        decided = self._decider.decide(self._known.state(c, appends), appends)
        save(c, decided.changes, self._codec)
        return Worked(decided.answers, partial(self._committed, decided.changes))
