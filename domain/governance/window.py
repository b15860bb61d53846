"""The sliding window of a rate limit: what was taken in each part of the period that ends now.

A window is a mapping of part numbers to what was taken in them. A part counts whole as long as
any moment of it lies in the period, hence one part more than the period has: that is what makes
the limit hold in every period, wherever it begins.
"""

from collections.abc import Mapping

from domain.ports.limits import Limit, Taken

PARTS = 20


def period_ms(limit: Limit) -> int:
    """The period in whole milliseconds."""
    return round(limit.seconds * 1000)


def part_at(now_ms: int, period: int) -> int:
    """The number of the part that `now_ms` lies in."""
    return now_ms * PARTS // period


def counts(part: int, now_ms: int, period: int) -> bool:
    """Whether what was taken in `part` still counts."""
    return part >= part_at(now_ms, period) - PARTS


def judge(limit: Limit, cost: int, window: Mapping[int, int], now_ms: int) -> Taken:
    """What comes of taking `cost`, given the parts that still count."""
    if cost < 0:
        raise ValueError("a negative cost")
    period, used = period_ms(limit), sum(window.values())
    allowed = used + cost <= limit.count
    part = part_at(now_ms, period)
    newest = part if allowed and cost else max(window, default=None)
    return Taken(
        allowed=allowed,
        remaining=max(0, limit.count - used - (cost if allowed else 0)),
        limit=limit.count,
        reset_seconds=0.0 if newest is None else _seconds_to_drop(newest, now_ms, period),
        retry_after_seconds=0.0 if allowed else _retry_after(limit, cost, window, now_ms),
        part=part,
    )


def _retry_after(limit: Limit, cost: int, window: Mapping[int, int], now_ms: int) -> float | None:
    """Seconds until enough of the oldest parts have dropped out."""
    excess = sum(window.values()) + cost - limit.count
    for part in sorted(window):
        excess -= window[part]
        if excess <= 0:
            return _seconds_to_drop(part, now_ms, period_ms(limit))
    return None


def _seconds_to_drop(part: int, now_ms: int, period: int) -> float:
    dropped_at_ms = -(-(part + PARTS + 1) * period // PARTS)  # rounded up
    return max(0, dropped_at_ms - now_ms) / 1000
