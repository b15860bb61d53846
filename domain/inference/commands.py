"""What can be asked of a job."""

from domain.billing.events import ChargeRecorded
from domain.inference.events import (
    AttemptRecord,
    Failure,
    JobAccepted,
    JobCompleted,
)
from domain.value import value


@value()
class SubmitJob:
    """Accept the job whose facts were resolved, priced and sealed at the door."""

    accepted: JobAccepted


@value()
class BeginJob:
    """Accept the job and take its lease at once: its client waits for the answer here."""

    accepted: JobAccepted
    lease_id: str
    worker_id: str
    lease_until: int


@value()
class StartJob:
    """Take the lease; times in Unix milliseconds."""

    lease_id: str
    worker_id: str
    lease_until: int


@value()
class RecordFailedAttempt:
    """One attempt under this lease failed and another follows."""

    lease_id: str
    attempt: AttemptRecord


@value()
class CompleteJob:
    """The answer is complete; `charge` is its rating."""

    completed: JobCompleted
    charge: ChargeRecorded


@value()
class FailJob:
    """No offer could answer under this lease."""

    lease_id: str
    failure: Failure
    attempts: tuple[AttemptRecord, ...]


@value()
class RequestCancel:
    """The customer wants the job to stop."""


@value()
class StopJob:
    """The worker stopped a running job because it was asked to.

    `charge` is for what had been streamed to the customer by then.
    """

    lease_id: str
    attempts: tuple[AttemptRecord, ...]
    charge: ChargeRecorded | None = None


@value()
class ExpireJob:
    """The deadline has passed; `lease_id` is the lease under which that was seen, if any."""

    lease_id: str | None
    attempts: tuple[AttemptRecord, ...] = ()


@value()
class ExpireLease:
    """The lease ran out without a renewal."""

    lease_id: str


@value()
class DeleteContent:
    """The customer wants what was asked and answered to be gone."""


JobCommand = (
    SubmitJob
    | BeginJob
    | StartJob
    | RecordFailedAttempt
    | CompleteJob
    | FailJob
    | RequestCancel
    | StopJob
    | ExpireJob
    | ExpireLease
    | DeleteContent
)
