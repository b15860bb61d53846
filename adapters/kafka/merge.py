"""Putting what comes from many partitions into position order."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Merge(Generic[T]):
    """Takes items in any order, some twice, and hands each out once, by position, without a gap."""

    def __init__(self, after: int) -> None:
        self._next = self._highest = after + 1
        self._ahead: dict[int, T] = {}

    @property
    def next(self) -> int:
        """The position to be handed out next."""
        return self._next

    @property
    def highest(self) -> int:
        """The highest position taken in, that before the first as long as there is none."""
        return self._highest - 1

    @property
    def is_waiting(self) -> bool:
        """Whether items are held back for want of the one before them."""
        return bool(self._ahead) and self._next not in self._ahead

    def __len__(self) -> int:
        """How many are held back."""
        return len(self._ahead)

    def add(self, position: int, item: T) -> None:
        """Takes one in, unless it was before."""
        if position >= self._next:
            self._ahead.setdefault(position, item)
            self._highest = max(self._highest, position + 1)

    def take(self, limit: int) -> list[T]:
        """Hands out what comes next, up to `limit`."""
        taken: list[T] = []
        while len(taken) < limit and (item := self._ahead.pop(self._next, None)) is not None:
            taken.append(item)
            self._next += 1
        return taken
