"""The event store: the only place where a decision is made durable."""

from collections.abc import Sequence
from typing import Protocol

from domain.billing.wallet import Wallet
from domain.effects import WorkEffect
from domain.event import Event, Origin, Recorded
from domain.value import value


@value()
class StreamWrite:
    """Events for one stream; `expected_version` is that of the last event the writer saw."""

    stream: str
    expected_version: int
    events: tuple[Event, ...]


@value()
class Mark:
    """How far a consumer has come: everything up to `watermark`, and `handled` beyond it."""

    consumer: str
    watermark: int
    handled: tuple[int, ...] = ()


@value()
class DeadLetter:
    """An event that a consumer could not handle for good, kept with its bytes and the error.

    The store fills in `state` from the log in the transaction that sets the event aside.
    """

    consumer: str
    position: int
    event_name: str
    error: str
    at: int
    state: bytes = b""


@value()
class Append:
    """What is recorded together or not at all."""

    origin: Origin
    writes: tuple[StreamWrite, ...] = ()
    work: tuple[WorkEffect, ...] = ()
    mark: Mark | None = None
    dead_letters: tuple[DeadLetter, ...] = ()
    redriven: tuple[DeadLetter, ...] = ()


@value()
class Unreadable:
    """A stored event that no known name and version can decode."""

    position: int
    stream: str
    event_name: str
    state: bytes
    error: str


@value()
class Checkpoint:
    """Where a consumer resumes: after `watermark`, skipping `handled`."""

    watermark: int
    handled: frozenset[int] = frozenset()


LogEntry = Recorded[Event] | Unreadable


class EventStore(Protocol):
    """Laws, held by `tests/contract/test_event_store.py`:

    1. `append` returns only after its events are durable, or raises and records nothing of it.
    2. A write whose `expected_version` is not the stream's version raises `VersionConflict`
       and refuses the whole append, whatever else was committed beside it.
    3. Positions over the log and versions within a stream are gap-free and start at 1.
    4. The effects of every event (`domain.effects.effects_of`) and the append's own work
       effects, mark and dead letters stand in the same transaction. A hold that is not
       available raises `InsufficientCredits` and refuses the whole append. A capture or release
       of an unknown hold raises `ValueError`.
    5. Events that move money come back with their entries and balance filled in.
    6. Readers see appends in position order and never skip one.
    7. When the store cannot write or read, `StoreUnavailable` is raised.
    """

    async def append(self, append: Append) -> tuple[Recorded[Event], ...]: ...

    async def read_stream(self, stream: str) -> tuple[Recorded[Event], ...]: ...

    async def read_log(
        self, after: int, limit: int, names: Sequence[str] = ()
    ) -> Sequence[LogEntry]:
        """Up to `limit` entries after position `after`, in order; only `names` when given."""
        ...

    async def head(self) -> int:
        """The last position, 0 when the log is empty."""
        ...

    async def wallet(self, account_id: str) -> Wallet: ...

    async def checkpoint(self, consumer: str) -> Checkpoint: ...

    async def dead_letters(self, consumer: str | None = None) -> Sequence[DeadLetter]: ...
