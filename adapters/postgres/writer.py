"""How a group of appends is committed to PostgreSQL.

A group whose connection is lost while it commits may stand or not. It is not answered before that
is known: PostgreSQL tells what became of a transaction by its id.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import structlog
from psycopg import Connection
from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation

from adapters.codec.events import EventCodec
from adapters.postgres.failures import LOST, translated
from adapters.postgres.recorder import Recorder
from adapters.postgres.transaction import UNPLACED, load, outcome_of, position_before, save
from adapters.store.group import Changes, Decided, Decider
from adapters.store.group_thread import Worked
from adapters.store.writer import Answers, History
from domain.errors import StoreUnavailable
from domain.ports.event_store import Append

# Another node wrote what this group read: it is decided again, at most so often in a row.
MAX_RACES = 20
# How long the outcome of a lost commit is asked for, and how long between two questions.
UNSURE_SECONDS = 20.0
ASK_SECONDS = 0.25
RACES = (UniqueViolation, SerializationFailure, DeadlockDetected)

Committed = Callable[[Changes], None]

log = structlog.get_logger(__name__)


class PostgresCommit:
    """Commits groups, one transaction each; `committed` is told of what was written."""

    def __init__(
        self, recorder: Recorder, codec: EventCodec, decider: Decider, committed: Committed
    ) -> None:
        self._recorder, self._codec = recorder, codec
        self._decider, self._committed = decider, committed
        self._pool = recorder.datastore.pool
        # While the outcome of a commit is being found out nothing more can be written.
        self.is_unsure = False

    def __call__(self, appends: Sequence[Append]) -> Worked[History]:
        """Raises `StoreUnavailable`, and has written nothing then, as far as can be known."""
        with translated("the event store could not write"):
            return self._commit_unraced(appends)

    def _commit_unraced(self, appends: Sequence[Append]) -> Worked[History]:
        for _ in range(MAX_RACES):
            try:
                return self._try(appends)
            except RACES as race:
                log.debug("store.raced", error=str(race))
        raise StoreUnavailable(f"{MAX_RACES} races with other nodes in a row")

    def _try(self, appends: Sequence[Append]) -> Worked[History]:
        trial = _Trial()
        try:
            before = self._before(appends, trial)
        except RACES:  # of which some are operational errors to the driver
            raise
        except LOST as error:
            if trial.transaction_id is None:  # a connection that broke while it lay idle
                before = self._before(appends, trial)
            else:
                before = self._find_out(trial, error)
        return self._worked(trial.decided, before)

    def _before(self, appends: Sequence[Append], trial: "_Trial") -> int:
        with self._pool.connection() as connection:
            return self._transact(connection, appends, trial)

    def _transact(
        self, connection: Connection[Any], appends: Sequence[Append], trial: "_Trial"
    ) -> int:
        """The position before the group's first event, once it is committed."""
        try:
            with connection.pipeline() as pipeline:
                loaded = load(connection, pipeline, appends)
                trial.decided = self._decider.decide(loaded.state, appends)
                trial.transaction_id = loaded.transaction_id
                changes = trial.decided.changes
                return save(connection, pipeline, self._recorder, changes, self._codec)
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise

    def _find_out(self, trial: "_Trial", lost: Exception) -> int:
        """What became of a group whose connection was lost. Raises `lost` when it does not stand.

        Also when the server is away for so long that it cannot be told: then it may stand, and
        whoever asks again meets what was recorded under the same ids.
        """
        self.is_unsure, until = True, time.monotonic() + UNSURE_SECONDS
        log.warning("store.unsure", transaction=trial.transaction_id, error=str(lost))
        try:
            while time.monotonic() < until:
                with suppress(*LOST), self._pool.connection(ASK_SECONDS) as connection:
                    status = outcome_of(connection, trial.transaction_id or "")
                    found = position_before(connection, trial.decided.changes)
                    if status == "committed" and found is not None:
                        return found
                    if status != "in progress":
                        break
                time.sleep(ASK_SECONDS)
        finally:
            self.is_unsure = False
        raise lost

    def _worked(self, decided: Decided, before: int) -> Worked[History]:
        """The answers with their true positions."""
        shift = before - UNPLACED
        events = [r._replace(position=r.position + shift) for r in decided.changes.events]
        changes = replace(decided.changes, events=events)
        answers: Answers = [
            answer
            if isinstance(answer, Exception)
            else tuple(events[recorded.position - UNPLACED - 1] for recorded in answer)
            for answer in decided.answers
        ]
        return Worked(answers, partial(self._committed, changes))


@dataclass(slots=True)
class _Trial:
    """One try at one group: what was decided, and in which transaction."""

    transaction_id: str | None = None
    decided: Decided = field(default_factory=lambda: Decided([], Changes()))
