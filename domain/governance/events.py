"""The events of governance: helpers that were lost and that came back."""

from domain.event import Event, event
from domain.governance.helpers import Helper


@event("governance.helper.degraded", version=1)
class HelperDegraded(Event):
    """A node does without one of its helpers from now on; its own memory stands in for it."""

    node_id: str
    helper: Helper
    reason: str


@event("governance.helper.restored", version=1)
class HelperRestored(Event):
    """A helper answers a node again, `degraded_ms` milliseconds after it was given up."""

    node_id: str
    helper: Helper
    degraded_ms: int


EVENTS: tuple[type[Event], ...] = (HelperDegraded, HelperRestored)
