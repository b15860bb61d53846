"""Durations counted in fixed logarithmic buckets, from which percentiles are read.

Bucket `n` holds the durations d in milliseconds with GROWTH**(n - 1) < d <= GROWTH**n, and bucket 0
those up to one. A percentile is told as its bucket's middle, so that it is off by 5 % at most.
Counts of nodes, seconds and hours add up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil, log

GROWTH = 1.1
_LOG_GROWTH = log(GROWTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyBucket:
    """How many durations fell into one bucket of `domain.providers.sketch`."""

    bucket: int
    count: int


def bucket_of(duration_ms: float) -> int:
    """The bucket that a duration falls into."""
    return ceil(log(duration_ms) / _LOG_GROWTH) if duration_ms > 1 else 0


def percentile(counts: Mapping[int, int], share: float) -> int | None:
    """The duration in milliseconds that `share` of all lie at or below; None without any."""
    total = sum(counts.values())
    if not total:
        return None
    rank, seen = max(1, ceil(share * total)), 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= rank:
            return _middle(bucket)
    raise AssertionError("the rank lies beyond the total")


def buckets(counts: Mapping[int, int]) -> tuple[LatencyBucket, ...]:
    """The counts as they stand in an event."""
    return tuple(LatencyBucket(bucket=bucket, count=counts[bucket]) for bucket in sorted(counts))


def merged(counts: Mapping[int, int], more: Iterable[LatencyBucket]) -> dict[int, int]:
    """The counts with those of an event added."""
    result = dict(counts)
    for one in more:
        result[one.bucket] = result.get(one.bucket, 0) + one.count
    return result


def _middle(bucket: int) -> int:
    return round(2 * GROWTH**bucket / (1 + GROWTH)) if bucket else 1
