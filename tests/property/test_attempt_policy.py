"""Laws of the attempt policy under any failures."""

from collections import Counter
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from domain.ports.provider import FailureKind
from domain.routing.policy import AttemptLimits, Call, FailedAttempt, GiveUp, next_step

KINDS: tuple[FailureKind, ...] = get_args(FailureKind)
NOT_TWICE = {"timeout_first_byte", "timeout_chunk", "timeout_total", "auth", "quota", "not_found"}

limits = st.builds(
    AttemptLimits, max_attempts=st.integers(1, 12), max_calls_per_offer=st.integers(1, 5)
)
failures = st.lists(
    st.tuples(st.sampled_from(KINDS), st.none() | st.floats(0, 100), st.floats(0, 0.999)),
    min_size=20,
    max_size=20,
)


def course(
    offers: int, bounds: AttemptLimits, failing: list[tuple[FailureKind, float | None, float]]
) -> tuple[list[Call], tuple[FailedAttempt, ...]]:
    """Every call fails as drawn, until the policy gives up."""
    calls: list[Call] = []
    history: tuple[FailedAttempt, ...] = ()
    for kind, retry_after, jitter in failing:
        step = next_step(history, offers, bounds, jitter)
        if isinstance(step, GiveUp):
            return calls, history
        calls.append(step)
        history = (*history, FailedAttempt(step.offer_index, kind, retry_after))
    raise AssertionError("the policy never gave up")


@given(st.integers(1, 6), limits, failures)
def test_it_gives_up_within_the_bound_of_attempts(
    offers: int,
    bounds: AttemptLimits,
    failing: list[tuple[FailureKind, float | None, float]],
) -> None:
    calls, _ = course(offers, bounds, failing)
    assert 1 <= len(calls) <= bounds.max_attempts


@given(st.integers(1, 6), limits, failures)
def test_no_offer_is_called_more_often_than_its_bound(
    offers: int,
    bounds: AttemptLimits,
    failing: list[tuple[FailureKind, float | None, float]],
) -> None:
    calls, _ = course(offers, bounds, failing)
    counts = Counter(call.offer_index for call in calls)
    assert max(counts.values()) <= bounds.max_calls_per_offer


@given(st.integers(1, 6), limits, failures)
def test_a_silent_or_unusable_offer_is_never_called_again(
    offers: int,
    bounds: AttemptLimits,
    failing: list[tuple[FailureKind, float | None, float]],
) -> None:
    calls, history = course(offers, bounds, failing)
    for place, failed in enumerate(history):
        if failed.kind in NOT_TWICE:
            later = {call.offer_index for call in calls[place + 1 :]}
            assert failed.offer_index not in later


@given(st.integers(1, 6), limits, failures)
def test_an_offer_is_not_called_again_before_its_retry_after(
    offers: int,
    bounds: AttemptLimits,
    failing: list[tuple[FailureKind, float | None, float]],
) -> None:
    calls, history = course(offers, bounds, failing)
    asked: dict[int, float] = {}
    for call, failed in zip(calls, history, strict=True):
        assert call.delay_seconds >= asked.get(call.offer_index, 0.0)
        asked[call.offer_index] = failed.retry_after or 0.0


@given(st.integers(2, 6), limits, failures)
def test_a_fresh_offer_is_asked_without_a_pause(
    offers: int,
    bounds: AttemptLimits,
    failing: list[tuple[FailureKind, float | None, float]],
) -> None:
    calls, _ = course(offers, bounds, failing)
    seen: set[int] = set()
    for call in calls:
        assert call.offer_index in seen or call.delay_seconds == 0
        seen.add(call.offer_index)


def avoiding_course(
    offers: int, avoided: dict[int, int], failing: list[tuple[FailureKind, float | None, float]]
) -> list[int]:
    """The offers called, in order, while the same ones are avoided all along."""
    history: tuple[FailedAttempt, ...] = ()
    for kind, retry_after, jitter in failing:
        step = next_step(history, offers, AttemptLimits(), jitter, avoided)
        if isinstance(step, GiveUp):
            break
        history = (*history, FailedAttempt(step.offer_index, kind, retry_after))
    return [failed.offer_index for failed in history]


avoided_places = st.dictionaries(st.integers(0, 3), st.integers(0, 1_000), max_size=4)


@given(avoided_places, failures)
def test_one_offer_to_be_avoided_at_most_is_called_and_after_every_other(
    avoided: dict[int, int],
    failing: list[tuple[FailureKind, float | None, float]],
) -> None:
    called = avoiding_course(4, avoided, failing)
    spared = [place for place in called if place in avoided]
    assert len(set(spared)) <= 1
    if spared:
        first = called.index(spared[0])
        assert set(called[:first]) == {0, 1, 2, 3} - set(avoided)


@given(avoided_places, failures)
def test_an_offer_to_be_avoided_is_called_again_only_at_its_rate_limit(
    avoided: dict[int, int],
    failing: list[tuple[FailureKind, float | None, float]],
) -> None:
    called = avoiding_course(4, avoided, failing)
    kinds = [kind for kind, _, _ in failing]
    last_kinds: dict[int, FailureKind] = {}
    for place, kind in zip(called, kinds, strict=False):
        if place in avoided and place in last_kinds:
            assert last_kinds[place] == "rate_limited"
        last_kinds[place] = kind


@given(avoided_places, failures)
def test_one_offer_is_called_whatever_is_to_be_avoided(
    avoided: dict[int, int],
    failing: list[tuple[FailureKind, float | None, float]],
) -> None:
    called = avoiding_course(4, avoided, failing)
    assert called
    if len(avoided) == 4:
        assert avoided[called[0]] == min(avoided.values())
