"""What a change of a breaker brings about: pure decisions."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.event import Event
from domain.ids import Kind, derived_id
from domain.providers.board import Incident, Scope, Standing
from domain.providers.breaker import CLOSED, Breaker
from domain.providers.events import (
    BreakerClosed,
    BreakerHalfOpened,
    BreakerOpened,
    IncidentOpened,
    IncidentResolved,
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Who changes a breaker when, in Unix milliseconds, and the failure that made them."""

    node_id: str
    at: int
    reason: str = ""


def moved(
    scope: Scope, standing: Standing, breaker: Breaker, cause: Cause
) -> tuple[Standing, tuple[Event, ...]]:
    """The standing with the breaker's new state, and what is to be recorded of it.

    Only a change of phase is recorded. An incident opens with a breaker that had been closed, and
    lasts until it is closed again, however often it was tried in between.
    """
    if breaker.phase == standing.breaker.phase and breaker.openings == standing.breaker.openings:
        return standing._replace(breaker=breaker), ()
    if breaker.phase == "closed":
        return closed(scope, standing, cause)
    if breaker.phase == "half_open":
        half_opened = BreakerHalfOpened(
            provider=scope.provider,
            native_id=scope.native_id,
            node_id=cause.node_id,
            probed_at=cause.at,
        )
        return standing._replace(breaker=breaker), (half_opened,)
    return _opened(scope, standing._replace(breaker=breaker, reason=cause.reason), cause)


def closed(scope: Scope, standing: Standing, cause: Cause) -> tuple[Standing, tuple[Event, ...]]:
    """The standing with its breaker closed, by success or by an operator."""
    event = BreakerClosed(provider=scope.provider, native_id=scope.native_id, node_id=cause.node_id)
    breaker = CLOSED._replace(last_failed_at=standing.breaker.last_failed_at)
    made = standing._replace(breaker=breaker, reason="", incident=None)
    return made, (event, *_resolved(scope, standing.incident, cause.at))


def _opened(scope: Scope, standing: Standing, cause: Cause) -> tuple[Standing, tuple[Event, ...]]:
    breaker = standing.breaker
    event = BreakerOpened(
        provider=scope.provider,
        native_id=scope.native_id,
        node_id=cause.node_id,
        reason=standing.reason,
        opened_at=breaker.opened_at,
        open_ms=breaker.open_ms,
        openings=breaker.openings,
    )
    if standing.incident is not None:
        return standing, (event,)
    at = breaker.opened_at
    incident_id = derived_id(Kind.INCIDENT, scope.breaker_id, cause.node_id, str(at))
    incident = IncidentOpened(
        incident_id=incident_id,
        provider=scope.provider,
        native_id=scope.native_id,
        severity="degraded" if scope.native_id else "outage",
        reason=standing.reason,
        opened_at=at,
    )
    return standing._replace(incident=Incident(incident_id, at)), (event, incident)


def _resolved(scope: Scope, incident: Incident | None, now: int) -> Iterator[Event]:
    if incident is not None:
        yield IncidentResolved(
            incident_id=incident.incident_id,
            provider=scope.provider,
            native_id=scope.native_id,
            resolved_at=now,
            lasted_ms=max(0, now - incident.opened_at),
        )
