"""How fast and how well offers answered lately, on all nodes: what strategies go by.

Kept in memory for the last minutes alone. What nothing is known of is None and never zero.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.providers.events import AttemptsObserved, OfferCounts
from domain.providers.sketch import merged, percentile

WINDOW_SECONDS = 300
PART_SECONDS = 30
# A snapshot of an offer is this old at most.
SNAPSHOT_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferHealth:
    """An offer in the window: `samples` answers, `failed` attempts, and the medians of the former.

    `first_token_samples` of the answers were streamed.
    """

    samples: int = 0
    failed: int = 0
    duration_ms: int | None = None
    first_token_samples: int = 0
    first_token_ms: int | None = None
    tokens_per_second: float | None = None

    @property
    def success_ratio(self) -> float | None:
        """The share of the attempts that were answered; what the caller did wrong left out."""
        total = self.samples + self.failed
        return self.samples / total if total else None


UNMEASURED = OfferHealth()
_Key = tuple[str, str]


@dataclass(slots=True)
class _Part:
    number: int
    succeeded: int = 0
    failed: int = 0
    durations: dict[int, int] = field(default_factory=dict)
    first_tokens: dict[int, int] = field(default_factory=dict)
    output_tokens: int = 0
    generating_ms: int = 0

    def add(self, counts: OfferCounts) -> None:
        self.succeeded += counts.succeeded
        self.failed += counts.failed
        self.durations = merged(self.durations, counts.durations)
        self.first_tokens = merged(self.first_tokens, counts.first_tokens)
        self.output_tokens += counts.output_tokens
        self.generating_ms += counts.generating_ms


class HealthBoard:
    """The offers' health; `now` is Unix milliseconds and given with each call."""

    def __init__(self) -> None:
        self._parts: dict[_Key, deque[_Part]] = {}
        self._snapshots: dict[_Key, tuple[int, OfferHealth]] = {}
        self._heard_at: dict[str, int] = {}
        self._used_at: dict[str, int] = {}

    def take(self, observed: AttemptsObserved, now: int) -> None:
        """Takes in what one node saw in one second, this node's own too."""
        self.heard(observed.provider, now)
        self._used_at[observed.provider] = now
        number = now // (PART_SECONDS * 1000)
        for counts in observed.offers:
            parts = self._parts.setdefault((observed.provider, counts.native_id), deque())
            if not parts or parts[-1].number < number:
                parts.append(_Part(number))
            _forget(parts, number)
            parts[-1].add(counts)

    def heard(self, provider: str, now: int) -> None:
        """Something came of a call or a probe of the provider, on some node."""
        self._heard_at[provider] = max(now, self._heard_at.get(provider, 0))

    def heard_at(self, provider: str) -> int | None:
        """When a provider was last called or probed; None when it never was."""
        return self._heard_at.get(provider)

    def used_at(self, provider: str) -> int | None:
        """When a provider last served, or failed to; None when it never was asked."""
        return self._used_at.get(provider)

    def of(self, provider: str, native_id: str, now: int) -> OfferHealth:
        """How an offer did in the window."""
        key = provider, native_id
        taken_at, known = self._snapshots.get(key, (None, UNMEASURED))
        if taken_at is not None and 0 <= now - taken_at < SNAPSHOT_MS:
            return known
        made = self._snapshot(key, now)
        self._snapshots[key] = now, made
        return made

    def _snapshot(self, key: _Key, now: int) -> OfferHealth:
        parts = self._parts.get(key)
        if parts is None:
            return UNMEASURED
        _forget(parts, now // (PART_SECONDS * 1000))
        durations = _summed(part.durations for part in parts)
        first_tokens = _summed(part.first_tokens for part in parts)
        generating_ms = sum(part.generating_ms for part in parts)
        tokens = sum(part.output_tokens for part in parts)
        return OfferHealth(
            samples=sum(part.succeeded for part in parts),
            failed=sum(part.failed for part in parts),
            duration_ms=percentile(durations, 0.5),
            first_token_samples=sum(first_tokens.values()),
            first_token_ms=percentile(first_tokens, 0.5),
            tokens_per_second=1000 * tokens / generating_ms if generating_ms and tokens else None,
        )


def _forget(parts: deque[_Part], number: int) -> None:
    while parts and parts[0].number <= number - WINDOW_SECONDS // PART_SECONDS:
        parts.popleft()


def _summed(counts: Iterable[dict[int, int]]) -> dict[int, int]:
    total: dict[int, int] = {}
    for one in counts:
        for bucket, count in one.items():
            total[bucket] = total.get(bucket, 0) + count
    return total
