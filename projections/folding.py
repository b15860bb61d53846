"""What a projection is, and how a batch of the log is folded into its rows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
from sqlalchemy import Table

from domain.event import Event, Recorded
from domain.ports.event_store import LogEntry, Unreadable

_encode = msgspec.json.Encoder().encode
Row = dict[str, Any]
# A table's name, the value of its one-column primary key, and whether the event makes the row.
RowKey = tuple[str, str, bool]


class Rows(Protocol):
    """The rows of one batch. A row that was got is replaced by `put`, never changed in place."""

    def get(self, table: str, key: str) -> Row | None:
        """The row as the batch has left it; only keys that the projection announced."""
        ...

    def put(self, table: str, row: Row) -> None:
        """Inserts the row or replaces the one with its primary key; `row` has every column."""
        ...

    def delete(self, table: str, key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Projection:
    """A read model: which events it folds, how, and into which tables.

    `keys` names the rows that `fold` will get or make for an event, so that a batch loads those
    that it does not make itself, all at once.
    A changed fold or table needs a new `version`, which is then built beside the old one.
    """

    name: str
    version: int
    tables: tuple[Table, ...]
    event_types: tuple[type[Event], ...]
    keys: Callable[[Recorded[Event]], Iterable[RowKey]]
    fold: Callable[[Rows, Recorded[Event]], None]
    folded: frozenset[type[Event]] = field(init=False)
    event_names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folded", frozenset(self.event_types))
        object.__setattr__(self, "event_names", frozenset(t.event_name for t in self.event_types))


@dataclass(frozen=True, slots=True)
class Stop:
    """The entry that could not be folded, and why."""

    position: int
    error: str


def keys_of(projection: Projection, entries: Sequence[LogEntry]) -> Iterator[RowKey]:
    """The rows that folding `entries` will get or make, in order."""
    folded, keys = projection.folded, projection.keys
    for entry in entries:
        if not isinstance(entry, Unreadable) and type(entry.event) in folded:
            yield from keys(entry)


def fold_entries(projection: Projection, rows: Rows, entries: Sequence[LogEntry]) -> Stop | None:
    """Folds `entries` in order; stops at the first that cannot be folded.

    After a stop `rows` may hold half of that entry's changes and must be thrown away.
    """
    folded, fold = projection.folded, projection.fold
    for entry in entries:
        if isinstance(entry, Unreadable):
            if entry.event_name in projection.event_names:
                return Stop(entry.position, entry.error)
        elif type(entry.event) in folded:
            try:
                fold(rows, entry)
            except Exception as error:  # the runner: whatever a fold raises stops this fold only
                return Stop(entry.position, f"{type(error).__name__}: {error}")
    return None


def require(rows: Rows, table: str, key: str) -> Row:
    """The row. Raises `ValueError` on a history that cannot be."""
    row = rows.get(table, key)
    if row is None:
        raise ValueError(f"{table}: no row {key}")
    return row


def to_json(value: object) -> str:
    """`value` as JSON text; the order of an object's members is kept."""
    return _encode(value).decode()


def from_json(text: str | None, form: Any = Any) -> Any:
    """What `to_json` was given, as a `form`; None for None."""
    return None if text is None else msgspec.json.decode(text, type=form)
