"""Laws of the retry policy, whatever the receiver answers."""

from hypothesis import given
from hypothesis import strategies as st

from domain.webhooks.retry import Answer, RetryPolicy, judge

POLICY = RetryPolicy()
statuses = st.none() | st.integers(100, 599)
waits = st.none() | st.floats(0, 1e9)
jitters = st.floats(0, 1, exclude_max=True)
tries = st.integers(1, 30)


@given(tries, statuses, waits, jitters)
def test_only_2xx_delivers(number: int, status: int | None, wait: float | None, j: float) -> None:
    verdict = judge(POLICY, number, Answer(status, wait), j)
    assert (verdict.result == "delivered") == (status is not None and 200 <= status < 300)


@given(tries, statuses, waits, jitters)
def test_only_410_disables(number: int, status: int | None, wait: float | None, j: float) -> None:
    verdict = judge(POLICY, number, Answer(status, wait), j)
    assert (verdict.result == "disabled") == (status == 410)


@given(tries, statuses, waits, jitters)
def test_a_wait_is_given_exactly_when_there_is_a_retry(
    number: int, status: int | None, wait: float | None, j: float
) -> None:
    verdict = judge(POLICY, number, Answer(status, wait), j)
    assert (verdict.wait_ms is None) == (verdict.result != "retry")


@given(st.integers(1, len(POLICY.gaps)), st.sampled_from([301, 404, 429, 500, 503]), waits, jitters)
def test_a_retry_is_never_earlier_than_the_schedule(
    number: int, status: int, wait: float | None, j: float
) -> None:
    verdict = judge(POLICY, number, Answer(status, wait), j)
    assert verdict.wait_ms is not None
    assert verdict.wait_ms >= POLICY.gaps[number - 1] * 1000


@given(st.integers(1, len(POLICY.gaps)), st.sampled_from([429, 502, 503, 504]), waits, jitters)
def test_no_receiver_can_put_a_retry_off_for_more_than_the_bound(
    number: int, status: int, wait: float | None, j: float
) -> None:
    verdict = judge(POLICY, number, Answer(status, wait), j)
    longest = max(POLICY.longest_retry_after, POLICY.gaps[number - 1] * (1 + POLICY.jitter_share))
    assert verdict.wait_ms is not None
    assert verdict.wait_ms <= longest * 1000 + 1


@given(
    gaps=st.lists(st.floats(0, float("inf")), min_size=1, max_size=3),
    wait=st.none() | st.floats(0, float("inf")),
    j=jitters,
)
def test_no_gap_is_longer_than_thirty_days(gaps: list[float], wait: float | None, j: float) -> None:
    policy = RetryPolicy(gaps=tuple(gaps), longest_retry_after=float("inf"))
    verdict = judge(policy, 1, Answer(429, wait), j)
    assert verdict.wait_ms is not None
    assert 0 <= verdict.wait_ms <= 30 * 24 * 3600 * 1000


@given(st.lists(st.none() | st.integers(300, 599), min_size=30, max_size=30))
def test_the_schedule_always_ends(answers: list[int | None]) -> None:
    results = [judge(POLICY, n, Answer(s), 0.5).result for n, s in enumerate(answers, 1)]
    assert "retry" not in results[len(POLICY.gaps) :]


def test_a_throttled_receiver_gets_the_time_it_asks_for() -> None:
    assert judge(POLICY, 1, Answer(429, 60), 0).wait_ms == 60_000


def test_retry_after_counts_only_where_it_means_throttling() -> None:
    assert judge(POLICY, 1, Answer(500, 60), 0).wait_ms == 5_000


def test_the_schedule_lasts_for_three_days() -> None:
    assert 70 * 3600 < sum(POLICY.gaps) < 80 * 3600
