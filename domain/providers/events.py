"""The events of provider health: attempt outcomes, breaker changes, incidents and probes.

Attempt outcomes are aggregated per provider and second. An empty `native_id` means the provider
as a whole, any other the one model there.
"""

from dataclasses import dataclass
from typing import Literal

from domain.event import Event, event
from domain.providers.sketch import LatencyBucket

Severity = Literal["outage", "degraded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCount:
    """How many attempts failed in one way."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferCounts:
    """What the attempts at one offer came to.

    `failed` leaves out what says nothing about the offer, as what the caller did wrong. `durations`
    are those of the successes, `first_tokens` of those among them that were streamed;
    `generating_ms` is the time in which they brought `output_tokens`.
    """

    native_id: str
    succeeded: int
    failed: int
    durations: tuple[LatencyBucket, ...]
    first_tokens: tuple[LatencyBucket, ...]
    output_tokens: int
    generating_ms: int


@event("providers.attempts.observed", version=1)
class AttemptsObserved(Event):
    """What the attempts of one node at one provider came to in one second.

    `second` is Unix seconds; `duration_ms_sum` is over the successes alone.
    """

    provider: str
    node_id: str
    second: int
    succeeded: int
    duration_ms_sum: int
    failures: tuple[FailureCount, ...]
    offers: tuple[OfferCounts, ...] = ()


@event("providers.breaker.opened", version=1)
class BreakerOpened(Event):
    """A node stopped calling a provider, or one model there, and so does every other.

    `reason` is the failure that it opened on; `openings` counts those since it was last closed.
    """

    provider: str
    native_id: str
    node_id: str
    reason: str
    opened_at: int
    open_ms: int
    openings: int


@event("providers.breaker.half_opened", version=1)
class BreakerHalfOpened(Event):
    """A node makes one call to see whether what failed works again."""

    provider: str
    native_id: str
    node_id: str
    probed_at: int


@event("providers.breaker.closed", version=1)
class BreakerClosed(Event):
    """Calls go on as before; the node is empty where an operator closed it."""

    provider: str
    native_id: str
    node_id: str


@event("providers.incident.opened", version=1)
class IncidentOpened(Event):
    """Customers may notice: a breaker opened that had been closed."""

    incident_id: str
    provider: str
    native_id: str
    severity: Severity
    reason: str
    opened_at: int


@event("providers.incident.resolved", version=1)
class IncidentResolved(Event):
    """The breaker of the incident is closed again, `lasted_ms` milliseconds after it opened."""

    incident_id: str
    provider: str
    native_id: str
    resolved_at: int
    lasted_ms: int


@event("providers.probe.completed", version=1)
class ProbeCompleted(Event):
    """A provider without traffic was asked for its list of models, which bills nobody.

    `outcome` is "ok" or the way in which it failed.
    """

    provider: str
    node_id: str
    outcome: str
    duration_ms: int


BREAKER_EVENTS: tuple[type[Event], ...] = (
    BreakerOpened,
    BreakerHalfOpened,
    BreakerClosed,
    IncidentOpened,
    IncidentResolved,
)
EVENTS: tuple[type[Event], ...] = (AttemptsObserved, *BREAKER_EVENTS, ProbeCompleted)
