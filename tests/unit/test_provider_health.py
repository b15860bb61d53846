"""What the health read model and the status page show, given a history."""

from typing import Any

import pytest

from domain.ids import HOUSE_ACCOUNT
from domain.providers.board import Scope
from domain.providers.breaker import CLOSED, BreakerPolicy, begun, opened
from domain.providers.events import ProbeCompleted
from domain.providers.sketch import bucket_of
from projections.provider_health import HOUR_MS, PROJECTION
from projections.status import _overall, _summary
from tests.support.read_models import MemoryRows, folded
from tests.support.simulated_health import move, observed
from tests.support.simulated_log import STARTED_AT, SimulatedLog

POLICY = BreakerPolicy()
WHOLE, MODEL = Scope("h1"), Scope("h1", "alpha")
MINUTE = 60_000


def observe(log: SimulatedLog, **counts: Any) -> None:
    log.append(HOUSE_ACCOUNT, f"health_{len(log.entries)}", observed("h1", **counts))


def open_at(log: SimulatedLog, scope: Scope, at: int) -> None:
    move(log, scope, lambda standing: opened(standing.breaker, at, POLICY), at)


def try_at(log: SimulatedLog, scope: Scope, at: int) -> None:
    move(log, scope, lambda standing: begun(standing.breaker, at, POLICY), at)


def close_at(log: SimulatedLog, scope: Scope, at: int) -> None:
    move(log, scope, lambda _: CLOSED, at)


def rows(log: SimulatedLog) -> MemoryRows:
    return folded(PROJECTION, log.entries)


def shown(log: SimulatedLog, now: int = STARTED_AT) -> dict[str, Any]:
    tables = rows(log).tables
    hours = sorted(tables["provider_health"].values(), key=lambda row: row["hour"])
    broken = [r for r in tables["provider_breakers"].values() if r["phase"] != "closed"]
    return _summary("h1", hours, broken, now)


def test_attempts_of_an_hour_add_up() -> None:
    log = SimulatedLog()
    observe(log, succeeded=3, durations={10: 3}, server_error=1, bad_request=2)
    observe(log, succeeded=1, durations={10: 1}, server_error=1)
    observe(log, succeeded=1, at_ms=STARTED_AT + HOUR_MS)
    first, second = rows(log).tables["provider_health"].values()
    assert (first["succeeded"], first["failed"], second["succeeded"]) == (4, 2, 1)
    assert first["durations"] == '{"10":4}'
    assert first["failures"] == '{"bad_request":2,"server_error":2}'


def test_uptime_leaves_out_what_callers_did_wrong() -> None:
    log = SimulatedLog()
    observe(log, succeeded=9, server_error=1, bad_request=50)
    assert shown(log)["uptime"] == 0.9


def test_a_provider_that_nothing_is_known_of_has_no_figures() -> None:
    assert shown(SimulatedLog()) == {
        "id": "h1",
        "object": "provider_status",
        "status": "unknown",
        "uptime": None,
        "p50_ms": None,
        "p95_ms": None,
        "first_token_p50_ms": None,
    }


def test_percentiles_are_told_within_five_per_cent() -> None:
    log = SimulatedLog()
    durations = {bucket_of(100): 94, bucket_of(2_000): 6}
    observe(log, succeeded=100, durations=durations)
    page = shown(log)
    assert page["p50_ms"] == pytest.approx(100, rel=0.06)
    assert page["p95_ms"] == pytest.approx(2_000, rel=0.06)


def test_probes_tell_how_an_idle_provider_is() -> None:
    log = SimulatedLog()
    for outcome in ("ok", "connect"):
        event = ProbeCompleted(provider="h1", node_id="n1", outcome=outcome, duration_ms=3)
        log.append(HOUSE_ACCOUNT, f"probe_{outcome}", event)
    assert (shown(log)["status"], shown(log)["uptime"]) == ("online", 0.5)


def test_a_provider_whose_breaker_is_open_is_offline_until_it_may_be_tried() -> None:
    log = SimulatedLog()
    open_at(log, WHOLE, STARTED_AT)
    assert shown(log, STARTED_AT + MINUTE - 1)["status"] == "offline"
    assert shown(log, STARTED_AT + MINUTE)["status"] == "degraded"


def test_a_provider_with_a_model_that_fails_is_degraded() -> None:
    log = SimulatedLog()
    observe(log, succeeded=5)
    open_at(log, MODEL, STARTED_AT)
    assert shown(log)["status"] == "degraded"


def test_a_model_that_nobody_asks_for_any_more_degrades_its_provider_for_an_hour() -> None:
    log = SimulatedLog()
    observe(log, succeeded=5)
    open_at(log, MODEL, STARTED_AT)
    later = STARTED_AT + MINUTE + HOUR_MS
    assert shown(log, later - 1)["status"] == "degraded"
    assert shown(log, later)["status"] == "online"


def test_a_provider_that_leaves_many_attempts_unanswered_is_degraded() -> None:
    log = SimulatedLog()
    observe(log, succeeded=8, server_error=2)
    assert shown(log)["status"] == "degraded"


def test_an_incident_lasts_from_the_opening_to_the_closing() -> None:
    log = SimulatedLog()
    open_at(log, WHOLE, STARTED_AT)
    try_at(log, WHOLE, STARTED_AT + MINUTE)
    open_at(log, WHOLE, STARTED_AT + 2 * MINUTE)
    try_at(log, WHOLE, STARTED_AT + 4 * MINUTE)
    close_at(log, WHOLE, STARTED_AT + 5 * MINUTE)
    (incident,) = rows(log).tables["provider_incidents"].values()
    assert incident["severity"] == "outage"
    assert (incident["opened_at"], incident["resolved_at"]) == (
        STARTED_AT,
        STARTED_AT + 5 * MINUTE,
    )


def test_a_second_opening_after_the_closing_is_another_incident() -> None:
    log = SimulatedLog()
    open_at(log, MODEL, STARTED_AT)
    close_at(log, MODEL, STARTED_AT + MINUTE)
    open_at(log, MODEL, STARTED_AT + 2 * MINUTE)
    incidents = rows(log).tables["provider_incidents"].values()
    assert [one["resolved_at"] for one in incidents] == [STARTED_AT + MINUTE, None]
    assert {one["severity"] for one in incidents} == {"degraded"}


@pytest.mark.parametrize(
    ("states", "overall"),
    [
        (["online", "unknown"], "operational"),
        (["online", "offline"], "degraded"),
        (["offline", "offline", "unknown"], "outage"),
        (["unknown"], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_whole_is_told_by_what_is_known_of_the_parts(states: Any, overall: str) -> None:
    assert _overall(states) == overall
