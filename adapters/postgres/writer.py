"""The group-commit writer of a node: one transaction for all appends that wait.

A group whose connection is lost while it commits may stand or not. It is not answered before that
is known: PostgreSQL tells what became of a transaction by its id.
"""

import asyncio
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
from adapters.store.group import Changes, Group, State
from adapters.store.group_thread import GroupThread, Worked
from domain.errors import StoreUnavailable
from domain.event import Event, Recorded
from domain.ports.clock import Clock, Ids
from domain.ports.event_store import Append

# More would lengthen the commit that everybody waits for.
MAX_GROUP = 500
# Another node wrote what this group read: it is decided again, at most so often in a row.
MAX_RACES = 20
# How long the outcome of a lost commit is asked for, and how long between two questions.
UNSURE_SECONDS = 20.0
ASK_SECONDS = 0.25
RACES = (UniqueViolation, SerializationFailure, DeadlockDetected)

History = tuple[Recorded[Event], ...]
Answers = list[History | Exception]
Committed = Callable[[Changes], None]

log = structlog.get_logger(__name__)


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
        self._pool = recorder.datastore.pool
        self._codec = codec
        self._clock = clock
        self._ids = ids
        self._committed = committed
        self._unsure = False
        self.is_available = True
        self._thread: GroupThread[Append, History] = GroupThread(
            "event-store-writer", MAX_GROUP, self._commit
        )

    def submit(self, append: Append) -> asyncio.Future[History]:
        """Queues an append; the future ends when it is durable or refused."""
        if self._unsure:
            raise StoreUnavailable("the event store is away")
        return self._thread.submit(append)

    async def close(self) -> None:
        """Commits what waits and ends the thread."""
        await self._thread.close()

    def _commit(self, appends: Sequence[Append]) -> Worked[History]:
        try:
            with translated("the event store could not write"):
                worked = self._commit_unraced(appends)
        except StoreUnavailable:
            self.is_available = False
            raise
        self.is_available = True
        return worked

    def _commit_unraced(self, appends: Sequence[Append]) -> Worked[History]:
        for _ in range(MAX_RACES):
            trial = _Trial()
            try:
                before = self._try(appends, trial)
            except RACES as race:
                log.debug("store.raced", error=str(race))
            else:
                return self._worked(trial, before)
        raise StoreUnavailable(f"{MAX_RACES} races with other nodes in a row")

    def _try(self, appends: Sequence[Append], trial: "_Trial") -> int:
        """The position before the group's first event, once it is committed."""
        try:
            with self._pool.connection() as connection:
                return self._transact(connection, appends, trial)
        except LOST as error:
            if trial.transaction_id is None:
                raise
            return self._find_out(trial, error)

    def _transact(
        self, connection: Connection[Any], appends: Sequence[Append], trial: "_Trial"
    ) -> int:
        try:
            with connection.pipeline() as pipeline:
                loaded = load(connection, appends)
                self._decide(appends, loaded.state, trial)
                trial.transaction_id = loaded.transaction_id
                return save(connection, pipeline, self._recorder, trial.changes, self._codec)
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise

    def _decide(self, appends: Sequence[Append], state: State, trial: "_Trial") -> None:
        group = Group(state, self._clock, self._ids, self._codec.encode)
        for append in appends:
            try:
                trial.answers.append(group.add(append))
            except Exception as refusal:  # noqa: BLE001 - what is wrong with one is its own
                trial.answers.append(refusal)
        trial.changes = group.changes

    def _find_out(self, trial: "_Trial", lost: Exception) -> int:
        """What became of a group whose connection was lost. Raises `lost` when it does not stand.

        New appends are refused meanwhile.
        """
        self._unsure, until = True, time.monotonic() + UNSURE_SECONDS
        log.warning("store.unsure", transaction=trial.transaction_id, error=str(lost))
        try:
            while time.monotonic() < until:
                with suppress(*LOST), self._pool.connection(ASK_SECONDS) as connection:
                    status = outcome_of(connection, trial.transaction_id or "")
                    if status == "committed":
                        return position_before(connection, trial.changes)
                    if status != "in progress":
                        break
                time.sleep(ASK_SECONDS)
        finally:
            self._unsure = False
        raise lost

    def _worked(self, trial: "_Trial", before: int) -> Worked[History]:
        """The answers with their true positions."""
        shift = before - UNPLACED
        events = [replace(r, position=r.position + shift) for r in trial.changes.events]
        changes = replace(trial.changes, events=events)
        answers: Answers = [
            answer
            if isinstance(answer, Exception)
            else tuple(events[recorded.position - UNPLACED - 1] for recorded in answer)
            for answer in trial.answers
        ]
        return Worked(answers, partial(self._committed, changes))


@dataclass(slots=True)
class _Trial:
    """One try at one group: what was decided, and in which transaction."""

    transaction_id: str | None = None
    answers: Answers = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)
