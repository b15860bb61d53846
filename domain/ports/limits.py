"""Rate limits: how much of something may be taken in a period, over all nodes."""

from dataclasses import dataclass
from typing import Protocol

SHORTEST_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` in any period of `seconds`. Raises `ValueError` for what is no limit."""

    count: int
    seconds: float

    def __post_init__(self) -> None:
        if self.count < 0 or self.seconds < SHORTEST_SECONDS:
            raise ValueError(f"{self.count} in {self.seconds} s is no limit")


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a take, in the words that `x-ratelimit-*` headers need.

    `reset_seconds` is when all of the limit is there again, if nothing more is taken.
    `retry_after_seconds` is when the same take can be allowed, if nothing more is taken: 0 when it
    was, `None` when it never can. `part` is when it was taken, as the counter tells time.
    """

    allowed: bool
    remaining: int
    limit: int
    reset_seconds: float
    retry_after_seconds: float | None
    part: int


class Limits(Protocol):
    """Laws, held by `tests/contract/test_limits.py`:

    1. In any period of `seconds`, no more than `count` is let through, whoever takes on whatever
       node and however concurrently.
    2. What was taken counts for `seconds`, and for at most a twentieth longer.
    3. A take is allowed whole or takes nothing. A cost of 0 takes nothing and tells how things
       stand; a negative one raises `ValueError`.
    4. What is given back can be taken again at once, unless its take counts no longer. More than
       was taken is never given back.
    5. Each key has a counter of its own for each period. Another count changes the limit of the
       counter, not what was taken.

    An adapter may forget, and says when: then more is let through. None ever refuses for want of
    its medium.
    """

    async def take(self, key: str, limit: Limit, cost: int = 1) -> Taken: ...

    async def give_back(self, key: str, limit: Limit, taken: Taken, cost: int = 1) -> None:
        """Undoes `cost` of what `taken` took: the request failed, or needed less."""
        ...
