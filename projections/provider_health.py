"""The `provider_health` read model: outcomes and durations by provider and hour, and incidents."""

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from domain.event import Event, Recorded
from domain.providers.board import Scope
from domain.providers.breaker import offer_outcome
from domain.providers.events import (
    AttemptsObserved,
    BreakerClosed,
    BreakerHalfOpened,
    BreakerOpened,
    IncidentOpened,
    IncidentResolved,
    ProbeCompleted,
)
from domain.providers.sketch import merged
from projections import tables
from projections.folding import Projection, Row, RowKey, Rows, from_json, require, to_json

TABLE = tables.PROVIDER_HEALTH.name
BREAKERS = tables.PROVIDER_BREAKERS.name
INCIDENTS = tables.PROVIDER_INCIDENTS.name
HOUR_MS = 3_600_000


def keys(recorded: Recorded[Event]) -> Iterable[RowKey]:
    """The hour, the breaker or the incident that the event changes."""
    event = recorded.event
    match event:
        case AttemptsObserved():
            yield TABLE, _hour_id(event.provider, event.second * 1000), False
        case ProbeCompleted():
            yield TABLE, _hour_id(event.provider, recorded.recorded_at), False
        case BreakerOpened() | BreakerHalfOpened() | BreakerClosed():
            yield BREAKERS, Scope(event.provider, event.native_id).breaker_id, False
        case IncidentOpened():
            yield INCIDENTS, event.incident_id, True
        case IncidentResolved():
            yield INCIDENTS, event.incident_id, False


def fold(rows: Rows, recorded: Recorded[Event]) -> None:
    """Adds what one event says."""
    event = recorded.event
    match event:
        case AttemptsObserved():
            _put_attempts(rows, recorded, event)
        case ProbeCompleted():
            _put_probe(rows, recorded, event)
        case BreakerOpened() | BreakerHalfOpened() | BreakerClosed():
            _put_breaker(rows, recorded, event)
        case IncidentOpened():
            rows.put(INCIDENTS, _incident(recorded, event))
        case IncidentResolved():
            row = require(rows, INCIDENTS, event.incident_id)
            rows.put(INCIDENTS, {**row, "resolved_at": event.resolved_at})


def counts_of(text: str) -> dict[int, int]:
    """The counts by bucket that a column holds."""
    return {int(bucket): count for bucket, count in from_json(text).items()}


def _put_attempts(rows: Rows, recorded: Recorded[Event], event: AttemptsObserved) -> None:
    row = _hour(rows, recorded, event.provider, event.second * 1000)
    failures: dict[str, int] = from_json(row["failures"])
    for one in event.failures:
        failures[one.kind] = failures.get(one.kind, 0) + one.count
    durations, first_tokens = counts_of(row["durations"]), counts_of(row["first_tokens"])
    for offer in event.offers:
        durations = merged(durations, offer.durations)
        first_tokens = merged(first_tokens, offer.first_tokens)
    counted = sum(one.count for one in event.failures if offer_outcome(one.kind) == "failure")
    changed = {
        "succeeded": row["succeeded"] + event.succeeded,
        "failed": row["failed"] + counted,
        "failures": to_json(dict(sorted(failures.items()))),
        "duration_ms_sum": row["duration_ms_sum"] + event.duration_ms_sum,
        "durations": _counts_text(durations),
        "first_tokens": _counts_text(first_tokens),
    }
    rows.put(TABLE, {**row, **changed})


def _put_probe(rows: Rows, recorded: Recorded[Event], event: ProbeCompleted) -> None:
    row = _hour(rows, recorded, event.provider, recorded.recorded_at)
    column = "probes_answered" if event.outcome == "ok" else "probes_failed"
    rows.put(TABLE, {**row, column: row[column] + 1})


def _put_breaker(
    rows: Rows,
    recorded: Recorded[Event],
    event: BreakerOpened | BreakerHalfOpened | BreakerClosed,
) -> None:
    breaker_id = Scope(event.provider, event.native_id).breaker_id
    row = rows.get(BREAKERS, breaker_id) or _breaker(recorded, event, breaker_id)
    changed: Row = {"position": recorded.position, "changed_at": recorded.recorded_at}
    match event:
        case BreakerOpened():
            changed |= {
                "phase": "open",
                "reason": event.reason,
                "openings": event.openings,
                "opened_at": event.opened_at,
                "retry_at": event.opened_at + event.open_ms,
            }
        case BreakerHalfOpened():
            changed |= {"phase": "half_open"}
        case BreakerClosed():
            nothing = {"openings": 0, "opened_at": None, "retry_at": None}
            changed |= {"phase": "closed", "reason": "", **nothing}
        case _:
            assert_never(event)
    rows.put(BREAKERS, {**row, **changed})


def _hour(rows: Rows, recorded: Recorded[Event], provider: str, at_ms: int) -> Row:
    key = _hour_id(provider, at_ms)
    row = rows.get(TABLE, key) or {
        "id": key,
        "account_id": recorded.account_id,
        "provider": provider,
        "hour": at_ms // HOUR_MS,
        "succeeded": 0,
        "failed": 0,
        "failures": "{}",
        "duration_ms_sum": 0,
        "durations": "{}",
        "first_tokens": "{}",
        "probes_answered": 0,
        "probes_failed": 0,
    }
    return {**row, "position": recorded.position}


def _hour_id(provider: str, at_ms: int) -> str:
    return f"{provider}/{at_ms // HOUR_MS}"


def _counts_text(counts: Mapping[int, int]) -> str:
    return to_json({str(bucket): counts[bucket] for bucket in sorted(counts)})


def _breaker(
    recorded: Recorded[Event],
    event: BreakerOpened | BreakerHalfOpened | BreakerClosed,
    breaker_id: str,
) -> Row:
    return {
        "id": breaker_id,
        "account_id": recorded.account_id,
        "provider": event.provider,
        "native_id": event.native_id,
        "phase": "closed",
        "reason": "",
        "openings": 0,
        "opened_at": None,
        "retry_at": None,
    }


def _incident(recorded: Recorded[Event], event: IncidentOpened) -> dict[str, Any]:
    return {
        "id": event.incident_id,
        "account_id": recorded.account_id,
        "provider": event.provider,
        "native_id": event.native_id,
        "position": recorded.position,
        "severity": event.severity,
        "reason": event.reason,
        "opened_at": event.opened_at,
        "resolved_at": None,
    }


PROJECTION = Projection(
    name="provider_health",
    version=1,
    tables=(tables.PROVIDER_HEALTH, tables.PROVIDER_BREAKERS, tables.PROVIDER_INCIDENTS),
    event_types=(
        AttemptsObserved,
        ProbeCompleted,
        BreakerOpened,
        BreakerHalfOpened,
        BreakerClosed,
        IncidentOpened,
        IncidentResolved,
    ),
    keys=keys,
    fold=fold,
)
