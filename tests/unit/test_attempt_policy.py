"""What follows which failure."""

import pytest

from domain.ports.provider import FailureKind, ProviderFailure
from domain.routing.failures import of_own_key
from domain.routing.policy import AttemptLimits, Call, FailedAttempt, GiveUp, NextStep, next_step

LIMITS = AttemptLimits()
SILENT: tuple[FailureKind, ...] = ("timeout_first_byte", "timeout_chunk", "timeout_total")


def after(*kinds_at: tuple[int, FailureKind], offers: int = 2, jitter: float = 0.0) -> NextStep:
    history = tuple(FailedAttempt(index, kind) for index, kind in kinds_at)
    return next_step(history, offers, LIMITS, jitter)


def called(step: NextStep) -> int:
    assert isinstance(step, Call)
    return step.offer_index


def code(step: NextStep) -> tuple[str, int]:
    assert isinstance(step, GiveUp)
    return step.failure.code, step.failure.status_code


def test_the_first_offer_is_called_first_and_at_once() -> None:
    assert after() == Call(0, 0.0)


def test_without_offers_there_is_nothing_to_call() -> None:
    assert code(after(offers=0)) == ("all_providers_failed", 502)


@pytest.mark.parametrize("kind", ["connect", "server_error", "truncated"])
def test_a_transient_failure_is_asked_again_once_at_the_same_offer(kind: FailureKind) -> None:
    assert called(after((0, kind))) == 0


@pytest.mark.parametrize("kind", ["connect", "server_error", "truncated"])
def test_a_second_transient_failure_fails_over(kind: FailureKind) -> None:
    assert after((0, kind), (0, kind)) == Call(1, 0.0)


@pytest.mark.parametrize(
    "kind",
    ["rate_limited", "quota", "auth", "not_found", "overloaded", "malformed", *SILENT],
)
def test_an_offer_that_cannot_serve_now_makes_room_for_the_next(kind: FailureKind) -> None:
    assert after((0, kind)) == Call(1, 0.0)


@pytest.mark.parametrize("kind", ["quota", "auth", "not_found", *SILENT])
def test_an_offer_that_was_silent_or_is_unusable_is_not_asked_twice(kind: FailureKind) -> None:
    assert isinstance(after((0, kind), offers=1), GiveUp)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("bad_request", ("invalid_request", 400)),
        ("too_large", ("request_too_large", 413)),
        ("context_length", ("context_length_exceeded", 400)),
        ("refused", ("content_refused", 400)),
    ],
)
def test_the_callers_fault_is_returned_though_other_offers_are_left(
    kind: FailureKind, expected: tuple[str, int]
) -> None:
    assert code(after((0, kind))) == expected


def test_a_lone_offer_at_its_rate_limit_is_asked_again_after_a_pause() -> None:
    step = after((0, "rate_limited"), offers=1)
    assert isinstance(step, Call)
    assert step.delay_seconds > 0


def test_a_persistent_rate_limit_backs_off_longer_each_time() -> None:
    first = after((0, "rate_limited"), offers=1)
    second = after((0, "rate_limited"), (0, "rate_limited"), offers=1)
    assert isinstance(first, Call)
    assert isinstance(second, Call)
    assert second.delay_seconds == 2 * first.delay_seconds


def test_jitter_spreads_the_pause() -> None:
    low = after((0, "rate_limited"), offers=1, jitter=0.0)
    high = after((0, "rate_limited"), offers=1, jitter=0.9)
    assert isinstance(low, Call)
    assert isinstance(high, Call)
    assert low.delay_seconds < high.delay_seconds


def test_a_short_retry_after_is_waited_for_in_full() -> None:
    step = next_step((FailedAttempt(0, "rate_limited", 2.0),), 1, LIMITS, 0.0)
    assert step == Call(0, 2.0)


def test_a_long_retry_after_is_not_waited_for() -> None:
    step = next_step((FailedAttempt(0, "rate_limited", 3600.0),), 1, LIMITS, 0.0)
    assert code(step) == ("provider_rate_limited", 429)


def test_a_transient_failure_with_a_long_retry_after_fails_over_at_once() -> None:
    assert next_step((FailedAttempt(0, "server_error", 60.0),), 2, LIMITS, 0.0) == Call(1, 0.0)


def test_when_all_are_busy_the_one_that_frees_up_first_is_asked() -> None:
    history = (FailedAttempt(0, "rate_limited", 5.0), FailedAttempt(1, "overloaded", 1.0))
    assert next_step(history, 2, LIMITS, 0.0) == Call(1, 1.0)


def test_silence_everywhere_is_a_timeout() -> None:
    assert code(after((0, "timeout_first_byte"), (1, "timeout_chunk"))) == (
        "provider_timeout",
        504,
    )


def test_a_refused_own_key_is_told_of_where_nobody_else_was_asked() -> None:
    refused = FailedAttempt(0, "own_key_refused")
    told = next_step((refused,), 1, AttemptLimits(), 0.0)
    assert isinstance(told, GiveUp)
    assert (told.failure.code, told.failure.status_code) == ("provider_key_refused", 403)


def test_an_offer_whose_own_key_was_refused_is_given_up_for_the_next() -> None:
    refused = FailedAttempt(0, "own_key_refused")
    assert next_step((refused,), 2, AttemptLimits(), 0.0) == Call(1)


@pytest.mark.parametrize("kind", ["auth", "quota"])
def test_only_what_concerns_the_key_refuses_an_own_key(kind: FailureKind) -> None:
    refused = of_own_key(ProviderFailure(kind, "no", status_code=403))
    assert (refused.kind, refused.status_code) == ("own_key_refused", 403)
    other = ProviderFailure("server_error", "no")
    assert of_own_key(other) is other


def test_the_failure_of_the_only_offer_is_a_provider_error() -> None:
    assert code(after((0, "auth"), offers=1)) == ("provider_error", 502)


def test_the_failure_of_several_offers_says_so() -> None:
    assert code(after((0, "auth"), (1, "not_found"))) == ("all_providers_failed", 502)
