"""The event types that customers subscribe to, and which recorded event each one tells of."""

from domain.event import Event
from domain.inference.events import JobCancelled, JobCompleted, JobExpired, JobFailed

JobEnded = JobCompleted | JobFailed | JobCancelled | JobExpired

# Subscribes to every type there is and every one to come.
EVERY_TYPE = "*"

TYPE_OF: dict[type[Event], str] = {
    JobCompleted: "job.completed",
    JobFailed: "job.failed",
    JobCancelled: "job.cancelled",
    JobExpired: "job.expired",
}
EVENT_TYPES: tuple[str, ...] = tuple(TYPE_OF.values())


def subscribes(wanted: tuple[str, ...], event_type: str) -> bool:
    """Whether a list of types or `*` asks for `event_type`."""
    return event_type in wanted or EVERY_TYPE in wanted
