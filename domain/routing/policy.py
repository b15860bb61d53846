"""What follows a failed attempt: a pure function of the failures so far to the next step.

The rules, for jobs (nothing has been sent to a client before the answer is complete):

- what the caller did wrong, and a refusal of the content, is returned: it fails everywhere;
- a transient failure is asked again once at the same offer, then the next offer is asked;
- an offer that is busy makes room for the next one; only when none is left is it asked again,
  after its `Retry-After` or a growing, jittered pause;
- an offer that was silent, or whose account or model is unusable, is not asked again;
- an offer to be avoided, its breaker being open, is left alone while others are left; when none
  is, the one that failed least lately is asked, and only one that is at its rate limit is asked
  again: never an error without an attempt;
- one offer and one job get a bounded number of calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.inference.events import Failure
from domain.ports.provider import FailureKind
from domain.routing.failures import failure_of, is_final

# Nothing suggests that a moment later the same call fails again.
_TRANSIENT: frozenset[FailureKind] = frozenset({"connect", "server_error", "truncated"})
# The offer may serve later, and another one sooner.
_BUSY: frozenset[FailureKind] = frozenset(
    {"rate_limited", "overloaded", "malformed", "timeout_connect"}
)


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """One call that failed; `retry_after` is in seconds, as the provider asked."""

    offer_index: int
    kind: FailureKind
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """The bounds of one job's attempts; times in seconds.

    A longer `Retry-After` than `max_retry_after_seconds` is not waited for.
    """

    max_attempts: int = 6
    max_calls_per_offer: int = 3
    max_retry_after_seconds: float = 10.0
    retry_seconds: float = 0.25
    max_backoff_seconds: float = 8.0


@dataclass(frozen=True, slots=True)
class Call:
    """Call this offer after a pause."""

    offer_index: int
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No offer can answer."""

    failure: Failure


NextStep = Call | GiveUp
# Offers to be left alone by their places, with when each of them last failed.
Avoided = Mapping[int, int]
_FIRST = Call(0)
_NONE: Avoided = {}


def next_step(
    history: tuple[FailedAttempt, ...],
    offers: int,
    limits: AttemptLimits,
    jitter: float,
    avoided: Avoided = _NONE,
) -> NextStep:
    """What to do after `history` with so many offers; `jitter` is in [0, 1).

    Terminates: after at most `limits.max_attempts` failures the step is `GiveUp`.
    """
    if not history and not avoided:
        return _FIRST if offers else _give_up(())
    standings = _standings(history, offers)
    if history:
        last = history[-1]
        if is_final(last.kind) or len(history) >= limits.max_attempts:
            return _give_up(history)
        standing = standings[last.offer_index]
        is_transient = last.kind in _TRANSIENT and last.offer_index not in avoided
        if is_transient and standing.may_retry(limits):
            return Call(last.offer_index, standing.pause(limits, jitter))
    return (
        _fail_over(standings, limits, jitter, avoided)
        or _last_resort(standings, avoided)
        or _give_up(history)
    )


@dataclass(frozen=True, slots=True)
class _Standing:
    """One offer: how often it was called, and how the last call failed."""

    calls: int = 0
    last: FailedAttempt | None = None

    def may_retry(self, limits: AttemptLimits) -> bool:
        return self.calls == 1 and self._is_open(limits)

    def may_return(self, limits: AttemptLimits) -> bool:
        return self.last is not None and self.last.kind in _BUSY and self._is_open(limits)

    @property
    def is_limited(self) -> bool:
        """Whether it is there, and only takes no more just now."""
        return self.last is not None and self.last.kind == "rate_limited"

    def _is_open(self, limits: AttemptLimits) -> bool:
        asked = (self.last.retry_after if self.last else None) or 0.0
        return self.calls < limits.max_calls_per_offer and asked <= limits.max_retry_after_seconds

    def pause(self, limits: AttemptLimits, jitter: float) -> float:
        """At least what the provider asked for, else a pause that doubles with each call."""
        if self.last and self.last.retry_after is not None:
            return self.last.retry_after + jitter * limits.retry_seconds
        backoff = min(limits.retry_seconds * (1 << self.calls), limits.max_backoff_seconds)
        return backoff * (1 + jitter) / 2


def _standings(history: tuple[FailedAttempt, ...], offers: int) -> list[_Standing]:
    standings = [_Standing()] * offers
    for failed in history:
        standings[failed.offer_index] = _Standing(standings[failed.offer_index].calls + 1, failed)
    return standings


def _fail_over(
    standings: list[_Standing], limits: AttemptLimits, jitter: float, avoided: Avoided
) -> Call | None:
    for index, standing in enumerate(standings):
        if standing.calls == 0 and index not in avoided:
            return Call(index)
    waiting = [
        (standing.pause(limits, jitter), index)
        for index, standing in enumerate(standings)
        if standing.may_return(limits) and (index not in avoided or standing.is_limited)
    ]
    if not waiting:
        return None
    delay, index = min(waiting)
    return Call(index, delay)


def _last_resort(standings: list[_Standing], avoided: Avoided) -> Call | None:
    """One call in all to an offer to be avoided: a host that is down is not asked in a row."""
    if not avoided or any(standings[index].calls for index in avoided):
        return None
    return Call(min(avoided, key=lambda index: (avoided[index], index)))


def _give_up(history: tuple[FailedAttempt, ...]) -> GiveUp:
    kinds = [failed.kind for failed in history]
    return GiveUp(failure_of(kinds, len({failed.offer_index for failed in history})))
