"""The events of provider health: attempt outcomes, aggregated per provider and second."""

from dataclasses import dataclass

from domain.event import Event, event


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCount:
    """How many attempts failed in one way."""

    kind: str
    count: int


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


EVENTS: tuple[type[Event], ...] = (AttemptsObserved,)
