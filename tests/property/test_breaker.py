"""Laws of the breaker under any outcomes at any times."""

from dataclasses import dataclass
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from domain.inference.events import AttemptRecord, OfferRef
from domain.ports.event_store import EventStore
from domain.providers.board import BreakerBoard, Scope
from domain.providers.breaker import (
    CLOSED,
    Breaker,
    BreakerPolicy,
    Outcome,
    after,
    begun,
    permits,
)
from workers.breakers import BreakerKeeper

START = 1_700_000_000_000
policies = st.builds(
    BreakerPolicy,
    consecutive_failures=st.integers(1, 8),
    failure_ratio=st.floats(0.1, 1),
    minimum_requests=st.integers(1, 20),
    window_seconds=st.floats(1, 120),
    open_seconds=st.floats(0.1, 120),
    successes_to_close=st.integers(1, 4),
)
OUTCOMES: tuple[Outcome, ...] = ("success", "failure", "neutral")
# Seconds to wait, how the call ends, and how long it takes.
calls = st.lists(
    st.tuples(st.floats(0, 200), st.sampled_from(OUTCOMES), st.floats(0, 5)), max_size=60
)
Calls = list[tuple[float, Outcome, float]]
# Many calls in a short time, of which the share of failures decides.
lenient = st.builds(
    BreakerPolicy,
    consecutive_failures=st.just(50),
    failure_ratio=st.floats(0.1, 0.6),
    minimum_requests=st.integers(1, 20),
    window_seconds=st.floats(5, 120),
)
busy = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(("success", "failure")), st.floats(0, 1)),
    min_size=20,
    max_size=60,
)


def courses(policy: BreakerPolicy, made: Calls) -> list[tuple[Breaker, int, bool]]:
    """Each state, when it was looked at, and whether a call was made then."""
    breaker, now, seen = CLOSED, START, []
    for wait, outcome, lasts in made:
        now += round(wait * 1000)
        permitted = permits(breaker, now, policy)
        seen.append((breaker, now, permitted))
        if permitted:
            began = now
            breaker = begun(breaker, now, policy)
            now += round(lasts * 1000)
            breaker = after(breaker, outcome, began, now, policy)
    return [*seen, (breaker, now, False)]


@given(policies, calls)
def test_no_call_is_made_while_it_is_open(policy: BreakerPolicy, made: Calls) -> None:
    for breaker, now, called in courses(policy, made):
        if breaker.phase == "open" and now < breaker.opened_at + breaker.open_ms:
            assert not called


@given(policies, calls)
def test_whatever_happened_it_closes_once_calls_succeed(policy: BreakerPolicy, made: Calls) -> None:
    breaker, now, _ = courses(policy, made)[-1]
    now += round(1000 * max(policy.max_open_seconds, policy.open_seconds))
    for _ in range(policy.successes_to_close):
        assert permits(breaker, now, policy)
        breaker = after(begun(breaker, now, policy), "success", now, now, policy)
    assert breaker.phase == "closed"


@given(policies, calls)
def test_it_is_never_open_longer_than_its_bound(policy: BreakerPolicy, made: Calls) -> None:
    longest = 1000 * max(policy.open_seconds, policy.max_open_seconds)
    assert all(breaker.open_ms <= longest + 1 for breaker, _, _ in courses(policy, made))


@given(policies, st.lists(st.floats(0, 100), max_size=40))
def test_it_never_opens_without_a_failure(policy: BreakerPolicy, waits: list[float]) -> None:
    outcomes: list[Outcome] = ["success", "neutral"]
    made: Calls = [(wait, outcomes[i % 2], 0.1) for i, wait in enumerate(waits)]
    assert all(breaker.phase == "closed" for breaker, _, _ in courses(policy, made))


@dataclass
class _Clock:
    at: int = START

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1000


_ENDS: dict[Outcome, str] = {"success": "ok", "failure": "server_error", "neutral": "bad_request"}


@given(policies | lenient, calls | busy)
def test_a_node_that_counts_successes_together_comes_to_the_same(
    policy: BreakerPolicy, made: Calls
) -> None:
    clock, offer = _Clock(), OfferRef(provider="h1", native_id="alpha")
    nowhere = cast("EventStore", None)  # what changes is not recorded here
    keeper = BreakerKeeper(BreakerBoard(), nowhere, clock, "n1", policy)
    course = courses(policy, made)
    for number, (wait, outcome, lasts) in enumerate(made):
        clock.at += round(wait * 1000)
        assert keeper.permits(offer) is course[number][2]
        if keeper.permits(offer):
            keeper.begins(offer)
            began = clock.at
            clock.at += round(lasts * 1000)
            keeper.observe(_attempt(outcome, began))
        seen, expected = keeper.board[Scope("h1", "alpha")].breaker, course[number + 1][0]
        assert (seen.phase, seen.openings) == (expected.phase, expected.openings)


def _attempt(outcome: Outcome, began: int) -> AttemptRecord:
    return AttemptRecord(
        provider="h1",
        native_id="alpha",
        started_at=began,
        duration_ms=0,
        outcome=_ENDS[outcome],
    )
