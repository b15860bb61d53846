"""The state of a job: a fold of its events."""

from typing import Literal, NamedTuple

from domain.event import Event
from domain.inference.events import (
    AttemptFailed,
    AttemptRecord,
    CancelRequested,
    ContentDeleted,
    JobAccepted,
    JobCancelled,
    JobCompleted,
    JobExpired,
    JobFailed,
    JobStarted,
    LeaseExpired,
)

Status = Literal["queued", "running", "succeeded", "failed", "cancelled", "expired"]
ENDED: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled", "expired"})


class Job(NamedTuple):
    """A job as its events tell it; `ended` holds the one terminal event."""

    accepted: JobAccepted
    status: Status = "queued"
    lease_id: str | None = None
    starts: int = 0
    cancel_requested: bool = False
    failed_attempts: tuple[AttemptRecord, ...] = ()
    ended: JobCompleted | JobFailed | JobCancelled | JobExpired | None = None
    content_deleted: bool = False

    @property
    def job_id(self) -> str:
        return self.accepted.job_id

    @property
    def is_ended(self) -> bool:
        return self.ended is not None


def evolve(job: Job | None, event: Event) -> Job:
    """The job after `event`. Raises `ValueError` on a history that cannot be."""
    if isinstance(event, JobAccepted):
        return Job(event)
    if job is None:
        raise ValueError(f"{event.event_name} before inference.job.accepted")
    match event:
        case JobStarted():
            return job._replace(status="running", lease_id=event.lease_id, starts=job.starts + 1)
        case AttemptFailed():
            return job._replace(failed_attempts=(*job.failed_attempts, event.attempt))
        case LeaseExpired():
            return job._replace(status="queued", lease_id=None)
        case CancelRequested():
            return job._replace(cancel_requested=True)
        case JobCompleted():
            return job._replace(status="succeeded", ended=event)
        case JobFailed():
            return job._replace(status="failed", ended=event)
        case JobCancelled():
            return job._replace(status="cancelled", ended=event)
        case JobExpired():
            return job._replace(status="expired", ended=event)
        case ContentDeleted():
            return job._replace(content_deleted=True)
        case _:
            raise ValueError(f"{event.event_name} is no event of a job")
