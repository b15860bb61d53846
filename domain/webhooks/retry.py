"""The retry policy: what the answer to an attempt means for the next one."""

from dataclasses import dataclass

from domain.webhooks.events import AttemptResult

GONE = 410
# No gap is longer, whatever is configured or asked for: times stay exact in JSON and SQL.
LONGEST_GAP = 30 * 24 * 3600.0
# The answers whose Retry-After is honoured.
THROTTLED = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The gaps in seconds before the second and later attempts: about three days in all.

    Each gap grows by up to `jitter_share` of itself, so that what failed together does not come
    back together.
    """

    gaps: tuple[float, ...] = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    jitter_share: float = 0.2
    longest_retry_after: float = 86_400


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt: no `status_code` without an answer; `retry_after` in seconds."""

    status_code: int | None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of an attempt; `wait_ms` until the next one when it is "retry"."""

    result: AttemptResult
    wait_ms: int | None = None


def is_success(status_code: int | None) -> bool:
    """Whether the receiver took the message: only 2xx says so, a redirect does not."""
    return status_code is not None and 200 <= status_code < 300


def judge(policy: RetryPolicy, tries: int, answer: Answer, jitter: float) -> Verdict:
    """What follows from `answer` to the `tries`-th attempt (from 1); `jitter` in [0, 1).

    410 disables. A receiver that asks for a later
    attempt gets it, up to `longest_retry_after`; one that asks for an earlier one does not.
    """
    status = answer.status_code
    if is_success(status):
        return Verdict("delivered")
    if status == GONE:
        return Verdict("disabled")
    if tries > len(policy.gaps):
        return Verdict("failed")
    gap = policy.gaps[tries - 1] * (1 + policy.jitter_share * jitter)
    if status in THROTTLED and answer.retry_after is not None:
        gap = max(gap, min(answer.retry_after, policy.longest_retry_after))
    return Verdict("retry", round(min(gap, LONGEST_GAP) * 1000))
