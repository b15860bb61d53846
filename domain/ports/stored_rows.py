"""The log as its bytes: what travels to Kafka, into exports and back unchanged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One event as it is stored: `topic` is `<name>@<version>`, `state` the envelope as JSON."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes


class StoredRows(Protocol):
    """Laws: 1. `rows` gives every event after a position, in order, as far as `limit` allows.
    2. The same position always has the same row.
    """

    def rows(self, after: int, limit: int) -> Sequence[StoredRow]: ...

    def last(self) -> int:
        """The last position, 0 when the log is empty."""
        ...
