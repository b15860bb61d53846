"""The read models: tables folded from the log, which can be deleted and rebuilt at any time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, Protocol, TypeVar

from domain.ports.event_store import LogEntry, Unreadable

T = TypeVar("T")
GenerationState = Literal["building", "active", "retired"]


class ReadModelUnavailable(Exception):
    """The read models cannot be read or written just now; the log is not affected."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One build of one version of a projection, which holds the log up to `position`.

    `entry_id` is the `entry_id` of the entry there, None at position 0: a log that has another
    entry at that position, or none, is not the log that the generation was folded from.
    `error` says why it stopped there: the entry after `position` could not be folded. Only a
    `current` one is of the version that this code folds; another may still be read.
    """

    name: str
    version: int
    number: int
    position: int
    entry_id: str | None
    state: GenerationState
    error: str | None = None
    current: bool = True

    @property
    def key(self) -> tuple[str, int, int]:
        return self.name, self.version, self.number

    @property
    def is_active(self) -> bool:
        return self.state == "active"

    @property
    def can_advance(self) -> bool:
        return self.current and self.error is None


def entry_id(entry: LogEntry) -> str:
    """What no other entry has: its event id, or the hash of its bytes when they cannot be read."""
    return sha256(entry.state).hexdigest() if isinstance(entry, Unreadable) else entry.event_id


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that the live read model and a replay of the log do not agree on."""

    projection: str
    table: str
    key: tuple[Any, ...]
    live: Mapping[str, Any] | None
    replayed: Mapping[str, Any] | None


class StoredLog(Protocol):
    """The log as the event store has it: what a rebuild and a verification replay."""

    async def read_log(self, after: int, limit: int) -> Sequence[LogEntry]: ...

    async def head(self) -> int: ...


class Snapshot(Protocol):
    """One consistent view of all read models."""

    def position(self, projection: str) -> int:
        """The log position that the projection's rows hold."""
        ...

    def rows(self, statement: Any) -> Sequence[Mapping[str, Any]]:
        """The rows of a select that `projections.queries` built."""
        ...


class ReadModels(Protocol):
    """Laws, held by `tests/contract/test_read_models.py`:

    1. `apply` moves the rows and the position of every given generation in one transaction.
    2. Entries at or before a generation's position change nothing, so a batch may come twice;
       a batch that would leave a gap raises `ValueError` and changes nothing.
    3. An entry that a generation cannot fold stops that generation just before it, with the
       error kept; the other generations go on.
    4. How the entries are cut into batches makes no difference to the rows.
    5. A generation that is being built is not seen by `fetch`. `activate` swaps it in with one
       transaction, and refuses while it is behind the one that it replaces.
    6. `fetch` answers from one consistent snapshot and never blocks the event loop.
    7. What cannot be read or written raises `ReadModelUnavailable`.
    8. What was discarded is neither read nor advanced; until `prepare` has made another in its
       place and that has been activated, `fetch` raises `ReadModelUnavailable`.
    """

    async def prepare(self) -> Sequence[Generation]:
        """Makes a generation of every projection that has none of this code's version, gives
        stopped ones another chance and drops retired ones. Returns all, as `generations`.
        """
        ...

    async def generations(self) -> Sequence[Generation]:
        """Every generation of the known projections, the retired ones left out."""
        ...

    async def apply(
        self, generations: Sequence[Generation], entries: Sequence[LogEntry]
    ) -> Sequence[Generation]:
        """Folds `entries` into those of `generations` that can advance and are still there.

        Returns all generations as they are after it.
        """
        ...

    async def build(self, name: str) -> Generation:
        """A fresh, empty generation of the projection `name`, beside the active one."""
        ...

    async def activate(self, generation: Generation) -> bool:
        """Swaps `generation` in and drops what it replaces; False while it is behind."""
        ...

    async def discard(self, generations: Sequence[Generation]) -> None:
        """Drops `generations`, the active ones too."""
        ...

    async def fetch(self, query: Callable[[Snapshot], T]) -> T: ...
