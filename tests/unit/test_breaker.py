"""When a breaker opens, whom it lets try, and when it closes."""

import pytest

from domain.providers.breaker import (
    CLOSED,
    Breaker,
    BreakerPolicy,
    Outcome,
    after,
    begun,
    offer_outcome,
    opened,
    permits,
    provider_outcome,
)

POLICY = BreakerPolicy()
START = 1_700_000_000_000
MINUTE = 60_000
FAILED: list[Outcome] = ["failure"]
MIXED: list[Outcome] = ["success", "failure"]
UNCLEAR: list[Outcome] = ["neutral"]


def fed(*outcomes: Outcome, every_ms: int = 100, policy: BreakerPolicy = POLICY) -> Breaker:
    """A breaker after these outcomes, from `START` on."""
    breaker, now = CLOSED, START
    for outcome in outcomes:
        breaker = after(breaker, outcome, now, now, policy)
        now += every_ms
    return breaker


def tried(breaker: Breaker, outcome: Outcome, at: int) -> Breaker:
    """The breaker after a call at `at` that ended at once."""
    assert permits(breaker, at, POLICY)
    return after(begun(breaker, at, POLICY), outcome, at, at, POLICY)


def test_five_failures_in_a_row_open_it() -> None:
    assert fed(*FAILED * 4).phase == "closed"
    assert fed(*FAILED * 5).phase == "open"


def test_a_success_starts_the_row_anew() -> None:
    assert fed(*FAILED * 4, "success", *FAILED * 3).phase == "closed"


def test_more_than_half_of_ten_open_it() -> None:
    assert fed(*MIXED * 5).phase == "closed"
    assert fed(*MIXED * 5, "failure").phase == "open"


def test_outcomes_that_are_older_than_the_window_do_not_count() -> None:
    six_of_ten = (*FAILED * 2, *MIXED, *FAILED, *MIXED * 2, *FAILED)
    assert fed(*six_of_ten).phase == "open"
    assert fed(*six_of_ten, every_ms=7_000).phase == "closed"


def test_what_says_nothing_changes_nothing() -> None:
    assert fed(*UNCLEAR * 50) == CLOSED


def test_while_it_is_open_no_call_is_permitted() -> None:
    broken = opened(CLOSED, START, POLICY)
    assert not permits(broken, START + MINUTE - 1, POLICY)
    assert permits(broken, START + MINUTE, POLICY)


def test_one_call_at_a_time_tries() -> None:
    trying = begun(opened(CLOSED, START, POLICY), START + MINUTE, POLICY)
    assert trying.phase == "half_open"
    assert not permits(trying, START + MINUTE + 1, POLICY)


def test_a_call_that_is_never_heard_of_again_makes_room_for_another() -> None:
    trying = begun(opened(CLOSED, START, POLICY), START + MINUTE, POLICY)
    assert permits(trying, START + 2 * MINUTE, POLICY)


def test_two_successes_close_it() -> None:
    once = tried(opened(CLOSED, START, POLICY), "success", START + MINUTE)
    assert once.phase == "half_open"
    assert tried(once, "success", START + MINUTE + 1).phase == "closed"


def test_a_failure_opens_it_again_for_twice_as_long_up_to_ten_minutes() -> None:
    breaker, at, lasted = opened(CLOSED, START, POLICY), START, []
    for _ in range(6):
        lasted.append(breaker.open_ms // 1000)
        at += breaker.open_ms
        breaker = tried(breaker, "failure", at)
    assert lasted == [60, 120, 240, 480, 600, 600]


def test_after_it_was_closed_it_opens_for_the_first_time_again() -> None:
    breaker = tried(opened(CLOSED, START, POLICY), "failure", START + MINUTE)
    for at in (1, 2):
        breaker = tried(breaker, "success", START + 3 * MINUTE + at)
    assert opened(breaker, START + 9 * MINUTE, POLICY).open_ms == MINUTE


def test_a_caller_error_while_it_is_tried_makes_room_for_the_next_try() -> None:
    neutral = tried(opened(CLOSED, START, POLICY), "neutral", START + MINUTE)
    assert neutral.phase == "half_open"
    assert permits(neutral, START + MINUTE + 1, POLICY)


def test_a_call_that_began_before_the_opening_decides_nothing() -> None:
    trying = begun(opened(CLOSED, START, POLICY), START + MINUTE, POLICY)
    for outcome in ("success", "failure"):
        late = after(trying, outcome, START - 1, START + MINUTE + 5, POLICY)
        assert late._replace(last_failed_at=0) == trying._replace(last_failed_at=0)


@pytest.mark.parametrize(
    "outcome", ["bad_request", "too_large", "context_length", "refused", "unsupported"]
)
def test_what_the_caller_did_wrong_never_counts(outcome: str) -> None:
    assert offer_outcome(outcome) == "neutral"
    assert provider_outcome(outcome) != "failure"


@pytest.mark.parametrize("outcome", ["not_found", "server_error", "overloaded", "rate_limited"])
def test_what_one_model_does_leaves_its_host_alone(outcome: str) -> None:
    assert offer_outcome(outcome) == "failure"
    assert provider_outcome(outcome) != "failure"


@pytest.mark.parametrize("outcome", ["connect", "timeout_connect", "auth", "quota"])
def test_what_concerns_every_model_counts_for_the_host(outcome: str) -> None:
    assert provider_outcome(outcome) == offer_outcome(outcome) == "failure"
