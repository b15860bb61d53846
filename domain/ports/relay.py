"""What the relay needs of the event store: its rows in order, and a place for its position."""

from collections.abc import Sequence
from typing import Protocol

from domain.ports.stored_rows import StoredRow


class RelaySource(Protocol):
    """Laws: 1. `rows` gives every committed event after a position, in order and without a gap,
    as far as `limit` allows. 2. `wait` returns once there is an event after the position.
    3. `firsts` gives the first event of each of the streams. 4. Any of them may raise
    `StoreUnavailable`.
    """

    async def rows(self, after: int, limit: int) -> Sequence[StoredRow]: ...

    async def wait(self, after: int) -> None: ...

    async def firsts(self, streams: Sequence[str]) -> Sequence[StoredRow]: ...

    async def head(self) -> int:
        """The last position, 0 when the log is empty."""
        ...


class RelayProgress(Protocol):
    """Laws: 1. `load` returns the highest position saved since the last `reset`, 0 without any.
    2. A saved position survives whatever the event store survives. 3. Either may raise
    `StoreUnavailable`.
    """

    async def load(self) -> int: ...

    async def save(self, position: int) -> None:
        """Everything up to `position` has been published; a lower one than before is ignored."""
        ...

    async def reset(self) -> None:
        """Nothing has been published: the topics are new."""
        ...
