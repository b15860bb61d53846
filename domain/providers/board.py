"""The breakers of a node: what it saw itself, and what the log says that other nodes saw.

A change is made here at once and recorded afterwards, so that no call waits for the event store.
All events of a breaker stand in one stream; whoever is second to record a change of the same state
is refused, drops it, and goes by what the first one recorded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from domain.event import Event, Recorded
from domain.ids import Kind, derived_id
from domain.providers.breaker import CLOSED, Breaker
from domain.providers.events import (
    BREAKER_EVENTS,
    BreakerClosed,
    BreakerHalfOpened,
    BreakerOpened,
    IncidentOpened,
    IncidentResolved,
)

BOARD_EVENTS = tuple(event_type.event_name for event_type in BREAKER_EVENTS)


class Scope(NamedTuple):
    """What a breaker is for: one model at a provider, or, without a model, the provider itself."""

    provider: str
    native_id: str = ""

    @property
    def breaker_id(self) -> str:
        """Its id, which is that of its stream too."""
        return derived_id(Kind.BREAKER, self.provider, self.native_id)


@dataclass(frozen=True, slots=True)
class Incident:
    """What customers may have noticed and that is not over."""

    incident_id: str
    opened_at: int


class Standing(NamedTuple):
    """A breaker with why it opened, its open incident, and the version of its stream seen here."""

    breaker: Breaker = CLOSED
    version: int = 0
    reason: str = ""
    incident: Incident | None = None


UNKNOWN = Standing()


class BreakerBoard:
    """Every breaker that ever had an outcome, by scope."""

    def __init__(self) -> None:
        self._standings: dict[Scope, Standing] = {}
        self._by_id: dict[str, Scope] = {}
        # Almost always empty: calls are let through at the price of looking here.
        self.troubled: set[Scope] = set()

    def __getitem__(self, scope: Scope) -> Standing:
        return self._standings.get(scope, UNKNOWN)

    def __iter__(self) -> Iterator[tuple[Scope, Standing]]:
        return iter(self._standings.items())

    def find(self, breaker_id: str) -> Scope | None:
        """The scope of the breaker with this id."""
        return self._by_id.get(breaker_id)

    def put(self, scope: Scope, standing: Standing) -> None:
        """Takes a state in."""
        if scope not in self._standings:
            self._by_id[scope.breaker_id] = scope
        self._standings[scope] = standing
        if standing.breaker.phase != "closed":
            self.troubled.add(scope)
        elif self.troubled:
            self.troubled.discard(scope)

    def recorded(self, scope: Scope, version: int) -> None:
        """The changes made here are recorded up to this version of the stream."""
        standing = self[scope]
        if version > standing.version:
            self.put(scope, standing._replace(version=version))

    def apply(self, recorded: Recorded[Event]) -> None:
        """Takes in what a node recorded; what was recorded from here changes nothing more."""
        event = recorded.event
        if not isinstance(event, BREAKER_EVENTS):
            return
        scope = Scope(event.provider, event.native_id)  # type: ignore[attr-defined]
        standing = self[scope]
        if recorded.version > standing.version:
            self.put(scope, _after(standing, event)._replace(version=recorded.version))


def _after(standing: Standing, event: Event) -> Standing:
    breaker = standing.breaker
    match event:
        case BreakerOpened():
            made = Breaker(
                phase="open",
                openings=event.openings,
                opened_at=event.opened_at,
                open_ms=event.open_ms,
                last_failed_at=max(event.opened_at, breaker.last_failed_at),
            )
            return standing._replace(breaker=made, reason=event.reason)
        case BreakerHalfOpened():
            made = breaker._replace(phase="half_open", probed_at=event.probed_at, successes=0)
            return standing._replace(breaker=made)
        case BreakerClosed():
            made = Breaker(last_failed_at=breaker.last_failed_at)
            return standing._replace(breaker=made, reason="")
        case IncidentOpened():
            return standing._replace(incident=Incident(event.incident_id, event.opened_at))
        case IncidentResolved():
            return standing._replace(incident=None)
        case _:
            return standing
