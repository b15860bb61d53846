"""What each command does to a job: given its history, when commanded, then these events."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from domain.errors import Conflict
from domain.event import Event
from domain.inference.commands import (
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
from domain.inference.decide import NODE_LOST, LeaseLost, decide
from domain.inference.events import (
    AttemptFailed,
    AttemptRecord,
    CancelRequested,
    ContentDeleted,
    DisconnectPolicy,
    Failure,
    JobCancelled,
    JobCompleted,
    JobExpired,
    JobFailed,
    JobStarted,
    LeaseExpired,
    Usage,
    WebhookTarget,
)
from domain.inference.state import Job, evolve
from tests.support.simulated_log import completion, job_accepted

NAME = "job_1"
ACCEPTED = job_accepted(NAME)
STARTED = JobStarted(job_id=NAME, lease_id="lease_1", worker_id="w", lease_until=1)
LAPSED = LeaseExpired(job_id=NAME, lease_id="lease_1")
ASKED = CancelRequested(job_id=NAME)
FAILURE = Failure(code="provider_error", message="no offer answered", status_code=502)
ATTEMPT = AttemptRecord(
    provider="h1", native_id="alpha", started_at=1, duration_ms=2, outcome="server_error"
)
COMPLETE = completion(NAME, "lease_1", Usage(input_tokens=1, output_tokens=1))
COMPLETED = COMPLETE.completed
ENDS: tuple[Event, ...] = (
    COMPLETED,
    JobFailed(job_id=NAME, failure=FAILURE),
    JobCancelled(job_id=NAME),
    JobExpired(job_id=NAME),
)
UNDER_LEASE: tuple[JobCommand, ...] = (
    RecordFailedAttempt("lease_1", ATTEMPT),
    COMPLETE,
    FailJob("lease_1", FAILURE, ()),
    StopJob("lease_1", ()),
    ExpireJob("lease_1"),
)


def given(*history: Event) -> Job | None:
    job: Job | None = None
    for event in history:
        job = evolve(job, event)
    return job


def names(events: Sequence[Event]) -> list[str]:
    return [event.event_name.partition(".")[2] for event in events]


def test_a_submission_is_accepted() -> None:
    assert decide(None, SubmitJob(ACCEPTED)) == (ACCEPTED,)


def test_a_job_is_accepted_once() -> None:
    with pytest.raises(Conflict):
        decide(given(ACCEPTED), SubmitJob(ACCEPTED))


def test_a_command_to_a_job_that_never_was_is_a_bug() -> None:
    with pytest.raises(ValueError, match="never accepted"):
        decide(None, RequestCancel())


def test_a_waiting_job_is_started() -> None:
    (started,) = decide(given(ACCEPTED), StartJob("lease_1", "w", 1))
    assert started == STARTED


def test_a_running_job_is_not_started_again() -> None:
    with pytest.raises(LeaseLost):
        decide(given(ACCEPTED, STARTED), StartJob("lease_2", "w", 1))


def test_a_job_whose_lease_ran_out_is_started_again() -> None:
    job = given(ACCEPTED, STARTED, LAPSED)
    (started,) = decide(job, StartJob("lease_2", "w", 1))
    assert names([started]) == ["job.started"]


def test_a_completion_brings_its_charge() -> None:
    events = decide(given(ACCEPTED, STARTED), COMPLETE)
    assert names(events) == ["job.completed", "charge.recorded"]


@pytest.mark.parametrize("command", UNDER_LEASE)
def test_without_the_lease_nothing_is_recorded(command: JobCommand) -> None:
    for history in ((ACCEPTED, STARTED, LAPSED), (ACCEPTED,)):
        with pytest.raises(LeaseLost):
            decide(given(*history), command)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("command", [*UNDER_LEASE, StartJob("lease_2", "w", 1), ExpireJob(None)])
def test_an_ended_job_does_not_end_again(end: Event, command: JobCommand) -> None:
    with pytest.raises(LeaseLost):
        decide(given(ACCEPTED, STARTED, end), command)


def test_a_failed_attempt_is_noted() -> None:
    events = decide(given(ACCEPTED, STARTED), RecordFailedAttempt("lease_1", ATTEMPT))
    assert events == (AttemptFailed(job_id=NAME, lease_id="lease_1", attempt=ATTEMPT),)


def test_cancelling_a_waiting_job_ends_it() -> None:
    assert decide(given(ACCEPTED), RequestCancel()) == (JobCancelled(job_id=NAME),)


def test_cancelling_a_job_between_two_leases_ends_it() -> None:
    events = decide(given(ACCEPTED, STARTED, LAPSED), RequestCancel())
    assert names(events) == ["job.cancelled"]


def test_cancelling_a_running_job_asks_its_worker() -> None:
    assert decide(given(ACCEPTED, STARTED), RequestCancel()) == (ASKED,)


def test_asking_twice_changes_nothing() -> None:
    assert decide(given(ACCEPTED, STARTED, ASKED), RequestCancel()) == ()
    assert decide(given(ACCEPTED, JobCancelled(job_id=NAME)), RequestCancel()) == ()


@pytest.mark.parametrize("end", [end for end in ENDS if not isinstance(end, JobCancelled)])
def test_a_job_that_ended_otherwise_cannot_be_cancelled(end: Event) -> None:
    with pytest.raises(Conflict) as refusal:
        decide(given(ACCEPTED, STARTED, end), RequestCancel())
    assert refusal.value.code == "job_finished"


@pytest.mark.parametrize("end", ENDS)
def test_the_content_of_an_ended_job_is_deleted_once(end: Event) -> None:
    history = (ACCEPTED, STARTED, end)
    deleted = ContentDeleted(job_id=NAME)
    assert decide(given(*history), DeleteContent()) == (deleted,)
    job = given(*history, deleted)
    assert decide(job, DeleteContent()) == ()
    assert job is not None
    assert job.ended == end


@pytest.mark.parametrize("history", [(ACCEPTED,), (ACCEPTED, STARTED), (ACCEPTED, STARTED, ASKED)])
def test_what_has_not_ended_is_not_deleted(history: tuple[Event, ...]) -> None:
    with pytest.raises(Conflict) as refusal:
        decide(given(*history), DeleteContent())
    assert refusal.value.code == "job_not_finished"


def test_an_answer_that_is_complete_counts_though_a_cancel_was_asked_for() -> None:
    events = decide(given(ACCEPTED, STARTED, ASKED), COMPLETE)
    assert names(events) == ["job.completed", "charge.recorded"]


def test_a_lease_runs_out() -> None:
    assert decide(given(ACCEPTED, STARTED), ExpireLease("lease_1")) == (LAPSED,)


@pytest.mark.parametrize("policy", ["cancel", "finish"])
def test_a_request_whose_client_is_gone_with_its_node_is_not_made_again(
    policy: DisconnectPolicy,
) -> None:
    accepted = replace(ACCEPTED, on_disconnect=policy)  # its input is kept, to be told of
    (event,) = decide(given(accepted, STARTED), ExpireLease("lease_1"))
    assert isinstance(event, JobFailed)
    assert event.failure == NODE_LOST


def test_a_request_that_is_to_be_finished_is_made_again() -> None:
    accepted = replace(ACCEPTED, on_disconnect="finish_and_store")
    events = decide(given(accepted, STARTED), ExpireLease("lease_1"))
    assert names(events) == ["job.lease_expired"]


@pytest.mark.parametrize("command", UNDER_LEASE[1:])
def test_every_end_tells_how_it_is_told_of(command: JobCommand) -> None:
    job = given(replace(ACCEPTED, told_as="response"), STARTED)
    end = decide(job, command)[0]
    assert end.told_as == "response"  # type: ignore[attr-defined]


def test_the_lease_of_a_job_to_be_cancelled_runs_out_with_the_job() -> None:
    events = decide(given(ACCEPTED, STARTED, ASKED), ExpireLease("lease_1"))
    assert names(events) == ["job.cancelled"]


@pytest.mark.parametrize(
    "history", [(ACCEPTED, STARTED, LAPSED), (ACCEPTED, STARTED, COMPLETED), (ACCEPTED,)]
)
def test_a_lease_that_is_gone_does_not_run_out(history: tuple[Event, ...]) -> None:
    assert decide(given(*history), ExpireLease("lease_1")) == ()


def test_the_deadline_ends_a_waiting_job() -> None:
    assert decide(given(ACCEPTED), ExpireJob(None)) == (JobExpired(job_id=NAME),)


def test_the_deadline_of_a_running_job_is_its_workers_to_keep() -> None:
    with pytest.raises(LeaseLost):
        decide(given(ACCEPTED, STARTED), ExpireJob(None))


def test_an_end_tells_every_attempt() -> None:
    noted = AttemptFailed(job_id=NAME, lease_id="lease_1", attempt=ATTEMPT)
    job = given(ACCEPTED, STARTED, noted)
    assert decide(job, StopJob("lease_1", ())) == (JobCancelled(job_id=NAME, attempts=(ATTEMPT,)),)


@pytest.mark.parametrize(
    "command", [FailJob("lease_1", FAILURE, ()), StopJob("lease_1", ()), ExpireJob("lease_1")]
)
def test_every_end_tells_whom_to_call_back(command: JobCommand) -> None:
    target = WebhookTarget(url="https://example.com/hook")
    (end,) = decide(given(job_accepted(NAME, webhook=target), STARTED), command)
    assert isinstance(end, JobFailed | JobCancelled | JobExpired)
    assert end.webhook == target


def test_a_history_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="before"):
        evolve(None, STARTED)


def test_a_completion_tells_whom_to_call_back() -> None:
    target = WebhookTarget(url="https://example.com/hook")
    end, _ = decide(given(job_accepted(NAME, webhook=target), STARTED), COMPLETE)
    assert isinstance(end, JobCompleted)
    assert end.webhook == target
