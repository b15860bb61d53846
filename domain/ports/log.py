"""The log: what consumers follow, in position order."""

from collections.abc import Sequence
from typing import Protocol

from domain.ports.event_store import LogEntry


class Log(Protocol):
    """Laws: 1. `read` returns entries in order without a gap. 2. `wait` returns once an entry
    after the given position exists; it is woken by the append, not by polling.
    """

    async def read(self, after: int, limit: int) -> Sequence[LogEntry]: ...

    async def wait(self, after: int) -> None: ...

    async def at(self, position: int) -> LogEntry:
        """The entry at `position`. Raises `LookupError` when there is none."""
        ...

    def head(self) -> int:
        """The last position known here; 0 when the log is empty."""
        ...
