"""The circuit breaker: a pure state machine that leaves alone what keeps failing.

Closed, it counts outcomes; it opens after so many failures in a row, or when more than a share of
enough outcomes in the window failed. Open, nothing is called until its time is over; then one
call at a time tries (half-open). Enough successes close it; one failure opens it again, for twice
as long, up to a bound. Times are Unix milliseconds.

There are two scopes. Each offer has a breaker for whatever is wrong with it, so that one model's
404 touches no other. Each provider has one for what concerns all of its offers: that it cannot be
reached, or that our credential or funds there are gone. What the caller did wrong, and a refusal
of the content, says nothing about either; a provider that answers so can evidently be reached.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Phase = Literal["closed", "open", "half_open"]
# "neutral" says nothing either way, but that the call has ended.
Outcome = Literal["success", "failure", "neutral"]

# The window is counted in so many parts; the oldest drops out as a whole.
PARTS = 12
_OFFER_FAILURES = frozenset(
    {
        *("connect", "timeout_connect", "timeout_first_byte", "timeout_chunk", "timeout_total"),
        *("rate_limited", "quota", "auth", "not_found", "server_error", "overloaded"),
        *("malformed", "truncated"),
    }
)
_PROVIDER_FAILURES = frozenset({"connect", "timeout_connect", "auth", "quota"})
# The provider answered, and took our credential.
_PROVIDER_SUCCESSES = frozenset(
    {"ok", "rate_limited", "not_found", "bad_request", "too_large", "context_length", "refused"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a breaker opens and closes; times in seconds.

    A call that tries a half-open breaker and is not heard of for `open_seconds` counts as lost.
    """

    consecutive_failures: int = 5
    failure_ratio: float = 0.5
    minimum_requests: int = 10
    window_seconds: float = 60.0
    open_seconds: float = 60.0
    max_open_seconds: float = 600.0
    successes_to_close: int = 2

    @property
    def part_ms(self) -> int:
        return max(1, round(self.window_seconds * 1000 / PARTS))

    def open_ms(self, openings: int) -> int:
        """How long it stays open the `openings`-th time in a row."""
        doubled = self.open_seconds * float(1 << min(openings - 1, 30))
        return round(1000 * max(self.open_seconds, min(doubled, self.max_open_seconds)))


class Part(NamedTuple):
    """The outcomes of one part of the window."""

    number: int
    successes: int
    failures: int


class Breaker(NamedTuple):
    """One breaker's state; `openings` counts those since it was last closed.

    A tuple, because it is made anew by what is counted.
    """

    phase: Phase = "closed"
    consecutive: int = 0
    parts: tuple[Part, ...] = ()
    openings: int = 0
    opened_at: int = 0
    open_ms: int = 0
    probed_at: int | None = None
    successes: int = 0
    last_failed_at: int = 0

    @property
    def retry_at(self) -> int | None:
        """When a call may try; None while it is closed."""
        return None if self.phase == "closed" else self.opened_at + self.open_ms

    def failing(self) -> tuple[int, int]:
        """How many of the outcomes in the window are failures, and how many there are."""
        failures = sum(part.failures for part in self.parts)
        return failures, failures + sum(part.successes for part in self.parts)


CLOSED = Breaker()


def offer_outcome(outcome: str) -> Outcome:
    """What an attempt's outcome says about the offer."""
    if outcome == "ok":
        return "success"
    return "failure" if outcome in _OFFER_FAILURES else "neutral"


def provider_outcome(outcome: str) -> Outcome:
    """What an attempt's outcome says about the provider as a whole."""
    if outcome in _PROVIDER_SUCCESSES:
        return "success"
    return "failure" if outcome in _PROVIDER_FAILURES else "neutral"


def permits(breaker: Breaker, now: int, policy: BreakerPolicy) -> bool:
    """Whether a call may be made now."""
    match breaker.phase:
        case "closed":
            return True
        case "open":
            return now >= breaker.opened_at + breaker.open_ms
        case "half_open":
            probed_at = breaker.probed_at
            return probed_at is None or now >= probed_at + round(policy.open_seconds * 1000)


def begun(breaker: Breaker, now: int, policy: BreakerPolicy) -> Breaker:
    """The state once a call has begun; the first after the opening makes it half-open.

    A call that it does not permit, made because nothing else was left, changes nothing.
    """
    if breaker.phase == "closed" or not permits(breaker, now, policy):
        return breaker
    return breaker._replace(phase="half_open", probed_at=now)


def after(
    breaker: Breaker, outcome: Outcome, began_at: int, now: int, policy: BreakerPolicy
) -> Breaker:
    """The state after the outcome of a call that began at `began_at`."""
    failed_at = now if outcome == "failure" else breaker.last_failed_at
    if breaker.phase == "closed":
        return _counted(breaker, outcome, now, policy) if outcome != "neutral" else breaker
    if breaker.phase == "open" or began_at < breaker.opened_at:
        return breaker._replace(last_failed_at=failed_at)  # no call that was let try
    if outcome == "failure":
        return opened(breaker, now, policy)
    if outcome == "neutral":
        return breaker._replace(probed_at=None)
    if breaker.successes + 1 >= policy.successes_to_close:
        return Breaker(last_failed_at=failed_at)
    return breaker._replace(probed_at=None, successes=breaker.successes + 1)


def with_more(breaker: Breaker, successes: int) -> Breaker:
    """The state after so many successes more in the part of the window that had one last."""
    *before, last = breaker.parts
    return breaker._replace(
        parts=(*before, last._replace(successes=last.successes + successes)), consecutive=0
    )


def opened(breaker: Breaker, now: int, policy: BreakerPolicy) -> Breaker:
    """The breaker, opened now."""
    openings = breaker.openings + 1
    return Breaker(
        phase="open",
        consecutive=breaker.consecutive,
        openings=openings,
        opened_at=now,
        open_ms=policy.open_ms(openings),
        last_failed_at=now,
    )


def _counted(breaker: Breaker, outcome: Outcome, now: int, policy: BreakerPolicy) -> Breaker:
    failed = outcome == "failure"
    parts = _parts(breaker.parts, failed=failed, number=now // policy.part_ms)
    counted = Breaker(
        consecutive=breaker.consecutive + 1 if failed else 0,
        parts=parts,
        last_failed_at=now if failed else breaker.last_failed_at,
    )
    return opened(counted, now, policy) if failed and _is_failing(counted, policy) else counted


def _is_failing(breaker: Breaker, policy: BreakerPolicy) -> bool:
    if breaker.consecutive >= policy.consecutive_failures:
        return True
    failures, total = breaker.failing()
    return total >= policy.minimum_requests and failures > policy.failure_ratio * total


def _parts(parts: tuple[Part, ...], *, failed: bool, number: int) -> tuple[Part, ...]:
    successes, failures = (0, 1) if failed else (1, 0)
    if parts and parts[-1].number >= number:
        last = parts[-1]
        grown = Part(last.number, last.successes + successes, last.failures + failures)
        return (*parts[:-1], grown)
    kept = tuple(part for part in parts if part.number > number - PARTS)
    return (*kept, Part(number, successes, failures))
