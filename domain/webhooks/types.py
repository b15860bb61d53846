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
# OpenAI's names for the end of a response in the background.
RESPONSE_TYPES: tuple[str, ...] = (
    "response.completed",
    "response.failed",
    "response.cancelled",
    "response.incomplete",
)
EVENT_TYPES: tuple[str, ...] = (*TYPE_OF.values(), *RESPONSE_TYPES)
# How an answer ended that is not whole.
_CUT_SHORT = frozenset({"length", "content_filter"})


def type_for(wanted: tuple[str, ...], ended: JobEnded) -> str | None:
    """The type under which a subscriber to `wanted` is told, None when it is not.

    The end of a response in the background goes to whoever named the response's types under
    these, and to everybody else as that of a job: nobody is told twice.
    """
    told = TYPE_OF[type(ended)]
    if ended.told_as == "response" and (response := _response_type(ended)) in wanted:
        return response
    return told if subscribes(wanted, told) else None


def _response_type(ended: JobEnded) -> str:
    match ended:
        case JobCompleted(finish_reason=reason):
            return "response.incomplete" if reason in _CUT_SHORT else "response.completed"
        case JobCancelled():
            return "response.cancelled"
        case _:
            return "response.failed"


def subscribes(wanted: tuple[str, ...], event_type: str) -> bool:
    """Whether a list of types or `*` asks for `event_type`."""
    return event_type in wanted or EVERY_TYPE in wanted


def tells_of_a_job(entry: LogEntry) -> TypeGuard[Recorded[JobEnded]]:
    """Whether customers are told of this entry of the log."""
    return isinstance(entry, Recorded) and isinstance(entry.event, TERMINAL)
