"""What a command does to a job: a pure function of the job and the command.

A refusal that the customer caused is a `DomainError`. A worker whose lease is gone gets
`LeaseLost`: its work is somebody else's now and must be dropped.
"""

from dataclasses import replace
from typing import assert_never

from domain.billing.events import ChargeRecorded
from domain.errors import Conflict
from domain.event import Event
from domain.inference.commands import (
    BeginJob,
    CompleteJob,
    DeleteContent,
    ExpireJob,
    ExpireLease,
    FailJob,
    JobCommand,
    RecordFailedAttempt,
    RequestCancel,
    StartJob,
    StopJob,
    SubmitJob,
)
from domain.inference.events import (
    AttemptFailed,
    AttemptRecord,
    CancelRequested,
    ContentDeleted,
    Failure,
    JobAccepted,
    JobCancelled,
    JobCompleted,
    JobExpired,
    JobFailed,
    JobStarted,
    LeaseExpired,
)
from domain.inference.state import Job

# The node that held a client's connection is gone, and the answer with it.
NODE_LOST = Failure(
    code="node_lost",
    message="the node that ran the request was lost before an answer was complete",
    status_code=503,
)


class LeaseLost(Exception):
    """The job ended, or another worker holds it: drop the work, record nothing."""


def stream_of(event: Event) -> str:
    """A job's events stand in its own stream, its charge in one derived from it."""
    return event.charge_id if isinstance(event, ChargeRecorded) else event.job_id  # type: ignore[attr-defined]


def decide(job: Job | None, command: JobCommand) -> tuple[Event, ...]:
    """The events that `command` brings about."""
    if isinstance(command, SubmitJob | BeginJob):
        if job is not None:
            raise Conflict("the job exists already", code="job_exists")
        if isinstance(command, SubmitJob):
            return (command.accepted,)
        return (command.accepted, _started(command.accepted.job_id, command))
    if job is None:
        raise ValueError(f"{type(command).__name__} for a job that was never accepted")
    match command:
        case StartJob():
            return _start(job, command)
        case RequestCancel():
            return _request_cancel(job)
        case ExpireLease():
            return _expire_lease(job, command)
        case ExpireJob():
            _require(job, command.lease_id)
            return (
                JobExpired(
                    job_id=job.job_id,
                    attempts=_all(job, command.attempts),
                    webhook=job.accepted.webhook,
                    told_as=job.accepted.told_as,
                ),
            )
        case RecordFailedAttempt() | CompleteJob() | FailJob() | StopJob():
            return _under_lease(job, command)
        case DeleteContent():
            return _delete_content(job)
        case _:
            assert_never(command)


def _start(job: Job, command: StartJob) -> tuple[Event, ...]:
    if job.is_ended or job.lease_id is not None:
        raise LeaseLost(job.job_id)
    return (_started(job.job_id, command),)


def _started(job_id: str, command: StartJob | BeginJob) -> JobStarted:
    return JobStarted(
        job_id=job_id,
        lease_id=command.lease_id,
        worker_id=command.worker_id,
        lease_until=command.lease_until,
    )


def _request_cancel(job: Job) -> tuple[Event, ...]:
    if job.status == "cancelled" or (job.cancel_requested and not job.is_ended):
        return ()
    if job.is_ended:
        raise Conflict(f"the job has {job.status} already", code="job_finished")
    if job.lease_id is None:
        return (_cancelled(job, ()),)
    return (CancelRequested(job_id=job.job_id),)


def _delete_content(job: Job) -> tuple[Event, ...]:
    if not job.is_ended:
        message = "what has not ended cannot be deleted: wait for it, or cancel it"
        raise Conflict(message, code="job_not_finished")
    return () if job.content_deleted else (ContentDeleted(job_id=job.job_id),)


def _expire_lease(job: Job, command: ExpireLease) -> tuple[Event, ...]:
    if job.is_ended or job.lease_id != command.lease_id:
        return ()
    if job.cancel_requested:
        return (_cancelled(job, ()),)
    if not _may_run_elsewhere(job.accepted):
        return (
            JobFailed(
                job_id=job.job_id,
                failure=NODE_LOST,
                attempts=job.failed_attempts,
                webhook=job.accepted.webhook,
                told_as=job.accepted.told_as,
            ),
        )
    return (LeaseExpired(job_id=job.job_id, lease_id=command.lease_id),)


def _may_run_elsewhere(accepted: JobAccepted) -> bool:
    """Whether another node can go on with the job, and somebody would still read the answer."""
    return accepted.input is not None and accepted.on_disconnect in (None, "finish_and_store")


def _under_lease(
    job: Job, command: RecordFailedAttempt | CompleteJob | FailJob | StopJob
) -> tuple[Event, ...]:
    match command:
        case RecordFailedAttempt():
            _require(job, command.lease_id)
            return (
                AttemptFailed(
                    job_id=job.job_id, lease_id=command.lease_id, attempt=command.attempt
                ),
            )
        case CompleteJob():
            _require(job, command.completed.lease_id)
            return (_told(command.completed, job.accepted), command.charge)
        case FailJob():
            _require(job, command.lease_id)
            return (
                JobFailed(
                    job_id=job.job_id,
                    failure=command.failure,
                    attempts=_all(job, command.attempts),
                    webhook=job.accepted.webhook,
                    told_as=job.accepted.told_as,
                ),
            )
        case StopJob():
            _require(job, command.lease_id)
            return _stop(job, command)
        case _:
            assert_never(command)


def _stop(job: Job, command: StopJob) -> tuple[Event, ...]:
    cancelled, charge = _cancelled(job, command.attempts), command.charge
    if charge is None:
        return (cancelled,)
    told = replace(cancelled, usage=charge.usage, cost_picodollars=charge.picodollars)
    return told, charge


def _require(job: Job, lease_id: str | None) -> None:
    if job.is_ended or job.lease_id != lease_id:
        raise LeaseLost(job.job_id)


def _told(completed: JobCompleted, accepted: JobAccepted) -> JobCompleted:
    if accepted.webhook is None and accepted.told_as == completed.told_as:
        return completed
    return replace(completed, webhook=accepted.webhook, told_as=accepted.told_as)


def _cancelled(job: Job, attempts: tuple[AttemptRecord, ...]) -> JobCancelled:
    return JobCancelled(
        job_id=job.job_id,
        attempts=_all(job, attempts),
        webhook=job.accepted.webhook,
        told_as=job.accepted.told_as,
    )


def _all(job: Job, attempts: tuple[AttemptRecord, ...]) -> tuple[AttemptRecord, ...]:
    return attempts or job.failed_attempts
