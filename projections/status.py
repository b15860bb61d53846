"""The status page: how the providers are, for everybody to read. No data is null and never zero.

A provider is `offline` while its own breaker is open, `degraded` while that of a model is, or less
than `DEGRADED_BELOW` of this hour's attempts were answered and there were enough to tell, or none
was answered at all; `online` when it was heard of in a day, else `unknown`. Its uptime is the share
of attempts answered in the last day, what callers did wrong left out; without attempts that of
probes. Percentiles are of whole answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import or_

from domain.errors import NotFound
from domain.ids import HOUSE_ACCOUNT
from domain.inference.view import seconds
from domain.ports.read_models import Snapshot
from domain.providers.sketch import percentile
from projections import tables
from projections.listing import StoredRow, rows_of
from projections.provider_health import HOUR_MS, PROJECTION, counts_of
from projections.queries import Query

ProviderState = Literal["online", "degraded", "offline", "unknown"]
HOURS = 24
INCIDENT_DAYS = 7
DEGRADED_BELOW = 0.9
ENOUGH_ATTEMPTS = 10
_HEALTH, _BREAKERS = tables.PROVIDER_HEALTH.c, tables.PROVIDER_BREAKERS.c
_INCIDENTS = tables.PROVIDER_INCIDENTS.c


def status_of_all(providers: Sequence[str], now: int) -> Query:
    """The page of these providers; `now` is Unix milliseconds."""

    def query(snapshot: Snapshot) -> dict[str, Any]:
        hours = _by_provider(snapshot.rows(_hours(now)))
        breakers = _by_provider(snapshot.rows(_open_breakers()))
        shown = [
            _summary(name, hours.get(name, ()), breakers.get(name, ()), now) for name in providers
        ]
        incidents = [
            _incident_object(row)
            for row in snapshot.rows(_incidents(now))
            if row["provider"] in providers
        ]
        return {
            "object": "status",
            "status": _overall([one["status"] for one in shown]),
            "providers": shown,
            "incidents": incidents,
            "updated_at": seconds(now),
            "as_of": str(snapshot.position(PROJECTION.name)),
        }

    return query


def status_of_one(provider: str, now: int) -> Query:
    """One provider with its last hours and incidents."""

    def query(snapshot: Snapshot) -> dict[str, Any]:
        hours = snapshot.rows(_hours(now).where(_HEALTH.provider == provider))
        breakers = snapshot.rows(_open_breakers().where(_BREAKERS.provider == provider))
        incidents = snapshot.rows(_incidents(now).where(_INCIDENTS.provider == provider))
        return {
            **_summary(provider, hours, breakers, now),
            "hours": [_hour_object(row) for row in hours],
            "incidents": [_incident_object(row) for row in incidents],
            "updated_at": seconds(now),
            "as_of": str(snapshot.position(PROJECTION.name)),
        }

    return query


def require_known(provider: str, providers: Sequence[str]) -> None:
    """Raises `NotFound` for a provider that is not in use."""
    if provider not in providers:
        raise NotFound(f"no such provider: {provider[:80]}")


def _hours(now: int) -> Any:
    since = now // HOUR_MS - HOURS + 1
    statement = rows_of(tables.PROVIDER_HEALTH, HOUSE_ACCOUNT).where(_HEALTH.hour >= since)
    return statement.order_by(_HEALTH.hour, _HEALTH.provider)


def _open_breakers() -> Any:
    statement = rows_of(tables.PROVIDER_BREAKERS, HOUSE_ACCOUNT)
    return statement.where(_BREAKERS.phase != "closed")


def _incidents(now: int) -> Any:
    since = now - INCIDENT_DAYS * 24 * HOUR_MS
    is_shown = or_(_INCIDENTS.opened_at >= since, _INCIDENTS.resolved_at.is_(None))
    statement = rows_of(tables.PROVIDER_INCIDENTS, HOUSE_ACCOUNT).where(is_shown)
    return statement.order_by(_INCIDENTS.opened_at.desc(), _INCIDENTS.id).limit(100)


def _by_provider(rows: Iterable[StoredRow]) -> Mapping[str, list[StoredRow]]:
    found: dict[str, list[StoredRow]] = {}
    for row in rows:
        found.setdefault(row["provider"], []).append(row)
    return found


def _summary(
    provider: str, hours: Sequence[StoredRow], breakers: Sequence[StoredRow], now: int
) -> dict[str, Any]:
    durations = _summed(row["durations"] for row in hours)
    first_tokens = _summed(row["first_tokens"] for row in hours)
    return {
        "id": provider,
        "object": "provider_status",
        "status": _state(hours, breakers, now),
        "uptime": _uptime(hours),
        "p50_ms": percentile(durations, 0.5),
        "p95_ms": percentile(durations, 0.95),
        "first_token_p50_ms": percentile(first_tokens, 0.5),
    }


def _state(hours: Sequence[StoredRow], breakers: Sequence[StoredRow], now: int) -> ProviderState:
    if any(not row["native_id"] and now < (row["retry_at"] or 0) for row in breakers):
        return "offline"
    # Of a model that nobody asks for any more nothing is known after a while.
    if any(now < (row["retry_at"] or 0) + HOUR_MS for row in breakers):
        return "degraded"
    if not hours:
        return "unknown"
    last = hours[-1]
    attempts = last["succeeded"] + last["failed"]
    is_enough = attempts >= ENOUGH_ATTEMPTS or (attempts and not last["succeeded"])
    is_recent = last["hour"] == now // HOUR_MS
    if is_recent and is_enough and last["succeeded"] < DEGRADED_BELOW * attempts:
        return "degraded"
    return "online" if _uptime(hours) is not None else "unknown"


def _uptime(hours: Sequence[StoredRow]) -> float | None:
    for good, bad in (("succeeded", "failed"), ("probes_answered", "probes_failed")):
        answered: int = sum(row[good] for row in hours)
        total: int = answered + sum(row[bad] for row in hours)
        if total:
            return round(answered / total, 4)
    return None


def _overall(states: Sequence[ProviderState]) -> str:
    known = [state for state in states if state != "unknown"]
    if not known:
        return "unknown"
    if all(state == "offline" for state in known):
        return "outage"
    return "operational" if all(state == "online" for state in known) else "degraded"


def _summed(texts: Iterable[str]) -> dict[int, int]:
    total: dict[int, int] = {}
    for text in texts:
        for bucket, count in counts_of(text).items():
            total[bucket] = total.get(bucket, 0) + count
    return total


def _hour_object(row: StoredRow) -> dict[str, Any]:
    durations = counts_of(row["durations"])
    return {
        "starts_at": seconds(row["hour"] * HOUR_MS),
        "uptime": _uptime([row]),
        "p50_ms": percentile(durations, 0.5),
        "p95_ms": percentile(durations, 0.95),
    }


def _incident_object(row: StoredRow) -> dict[str, Any]:
    """Without its reason: that may be a matter between us and the provider."""
    return {
        "id": row["id"],
        "object": "incident",
        "provider": row["provider"],
        "model": row["native_id"] or None,
        "severity": row["severity"],
        "opened_at": seconds(row["opened_at"]),
        "resolved_at": seconds(row["resolved_at"]),
    }
