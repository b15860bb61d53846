"""How fast offers answered lately, and how that is counted."""

from pathlib import Path

import pytest

from domain.inference.events import AttemptRecord, OfferRef
from domain.ports.attempt_health import Speed
from domain.providers.health import WINDOW_SECONDS, HealthBoard
from domain.providers.sketch import bucket_of, buckets, merged, percentile
from tests.support.manual_clock import ManualClock
from tests.support.simulated_health import observed
from tests.support.stores import opened_store
from workers.health import HealthRecorder

NOW = 1_700_000_000_000
OFFER = OfferRef(provider="h1", native_id="alpha")


def counts(*durations_ms: float) -> dict[int, int]:
    made: dict[int, int] = {}
    for duration in durations_ms:
        bucket = bucket_of(duration)
        made[bucket] = made.get(bucket, 0) + 1
    return made


@pytest.mark.parametrize("duration", [0, 1, 2, 7, 50, 333, 4_000, 90_000, 600_000])
def test_a_duration_is_told_within_five_per_cent(duration: int) -> None:
    told = percentile(counts(duration), 0.5)
    assert told == pytest.approx(max(duration, 1), rel=0.06, abs=1)


def test_a_percentile_is_what_that_share_lies_at_or_below() -> None:
    known = counts(*[10] * 95, *[1_000] * 5)
    assert percentile(known, 0.95) == pytest.approx(10, rel=0.06)
    assert percentile(known, 0.96) == pytest.approx(1_000, rel=0.06)


def test_without_durations_there_is_no_percentile() -> None:
    assert percentile({}, 0.5) is None


def test_counts_of_several_nodes_add_up() -> None:
    assert merged(counts(10, 20), buckets(counts(20, 30))) == counts(10, 20, 20, 30)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    board = HealthBoard()
    board.take(observed("h1", succeeded=3, durations={10: 3}), NOW)
    inside = NOW + (WINDOW_SECONDS - 31) * 1000
    assert board.of("h1", "alpha", inside).samples == 3
    assert board.of("h1", "alpha", NOW + WINDOW_SECONDS * 1000).samples == 0


def test_nothing_is_known_of_an_offer_that_was_never_called() -> None:
    health = HealthBoard().of("h1", "alpha", NOW)
    assert (health.samples, health.duration_ms, health.success_ratio) == (0, None, None)


def test_the_share_of_answers_is_over_what_says_something() -> None:
    board = HealthBoard()
    board.take(observed("h1", succeeded=3, server_error=1), NOW)
    assert board.of("h1", "alpha", NOW).success_ratio == 0.75


async def test_attempts_are_counted_by_offer_with_their_speed(tmp_path: Path) -> None:
    clock = ManualClock()
    async with opened_store(tmp_path / "events.db") as store:
        recorder = HealthRecorder(store, clock, "n1")
        for first_token_ms in (100, None):
            recorder.measured(OFFER, Speed(first_token_ms, 50))
            recorder.observe(
                AttemptRecord(
                    provider="h1",
                    native_id="alpha",
                    started_at=clock.now(),
                    duration_ms=600,
                    outcome="ok",
                )
            )
        await recorder.flush()
        health = recorder.board.of("h1", "alpha", clock.now())
        assert (health.samples, health.first_token_samples) == (2, 1)
        assert health.first_token_ms == pytest.approx(100, rel=0.06)
        assert health.tokens_per_second == pytest.approx(1000 * 100 / (500 + 600))
        assert len(await store.read_log(0, 10)) == 1
