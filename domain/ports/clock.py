"""The clock and the source of fresh ids."""

from typing import Protocol

from domain.ids import Kind


class Clock(Protocol):
    """`now` is Unix milliseconds; `monotonic` seconds that never go back."""

    def now(self) -> int: ...

    def monotonic(self) -> float: ...


class Ids(Protocol):
    """Fresh ids: unique, and in the order of the milliseconds they were made in."""

    def new(self, kind: Kind) -> str: ...
