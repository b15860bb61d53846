"""The event types that customers subscribe to, and which recorded event each one tells of."""

from typing import TypeGuard

from domain.event import Event, Recorded
from domain.inference.events import TERMINAL, JobCancelled, JobCompleted, JobExpired, JobFailed
from domain.ports.event_store import LogEntry

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


def tells_of_a_job(entry: LogEntry) -> TypeGuard[Recorded[JobEnded]]:
    """Whether customers are told of this entry of the log."""
    return isinstance(entry, Recorded) and isinstance(entry.event, TERMINAL)
