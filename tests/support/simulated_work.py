"""Steps that write every kind of history into a simulated log, by way of the domain's decisions."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from random import Random

from domain.billing.wallet import InsufficientCredits
from domain.errors import DomainError
from domain.event import Event
from domain.inference.commands import (
    DeleteContent,
    ExpireJob,
    ExpireLease,
    FailJob,
    RecordFailedAttempt,
    RequestCancel,
    StartJob,
    StopJob,
)
from domain.inference.decide import LeaseLost
from domain.inference.events import AttemptRecord, Failure, Usage, WebhookTarget
from domain.webhooks.events import (
    AttemptResult,
    DeliveryAttempted,
    DeliveryScheduled,
    RedeliveryRequested,
)
from tests.support.simulated_health import HEALTH_STEPS
from tests.support.simulated_log import (
    ATTEMPT,
    HOLD,
    STARTED_AT,
    SimulatedLog,
    completion,
    job_accepted,
)

ACCOUNTS = ("acct_1", "acct_2")
FAILED = AttemptRecord(
    provider="h2",
    native_id="beta",
    started_at=STARTED_AT,
    duration_ms=7,
    outcome="overloaded",
    status_code=503,
)
FAILURE = Failure(code="all_providers_failed", message="no provider answered", status_code=502)
RESULTS: tuple[AttemptResult, ...] = ("delivered", "retry", "failed", "disabled")
Step = tuple[str, int]


def write(log: SimulatedLog, steps: Iterable[Step]) -> None:
    """Takes each step that the state of the log allows; a refused one records nothing."""
    for name, number in steps:
        with suppress(DomainError, LeaseLost, InsufficientCredits, ValueError):
            STEPS[name](log, number)


def random_steps(random: Random, count: int) -> list[Step]:
    """A repeatable run of steps."""
    names = sorted(STEPS)
    return [(random.choice(names), random.randrange(1_000)) for _ in range(count)]


def _submit(log: SimulatedLog, number: int) -> None:
    job_id = f"job_{len(log.jobs) + 1:032x}"
    accepted = job_accepted(
        job_id,
        model=f"acme/{number % 2}",
        metadata={"team": f"t{number % 3}", "n": str(number)} if number % 4 else {},
        webhook=WebhookTarget(url="https://example.com/hook") if number % 5 == 0 else None,
        own_key="pkey_1" if number % 7 == 0 else None,
    )
    log.submit(ACCOUNTS[number % 2], accepted)


def _pick(log: SimulatedLog, number: int) -> tuple[str, str, str]:
    """An unfinished job's account, id and lease."""
    unfinished = [job for job in log.jobs.values() if not job.is_ended]
    if not unfinished:
        raise ValueError("every job has ended")
    job = unfinished[number % len(unfinished)]
    return log.histories[job.job_id][0].account_id, job.job_id, job.lease_id or "lease_none"


def _start(log: SimulatedLog, number: int) -> None:
    account_id, job_id, _ = _pick(log, number)
    log.command(account_id, job_id, StartJob(f"lease_{len(log.entries)}", "w1", STARTED_AT))


def _attempt(log: SimulatedLog, number: int) -> None:
    account_id, job_id, lease_id = _pick(log, number)
    log.command(account_id, job_id, RecordFailedAttempt(lease_id, FAILED))


def _complete(log: SimulatedLog, number: int) -> None:
    account_id, job_id, lease_id = _pick(log, number)
    usage = Usage(input_tokens=number, output_tokens=number // 3, cached_input_tokens=number // 2)
    own_key = log.jobs[job_id].accepted.offers[0].own_key
    log.command(account_id, job_id, completion(job_id, lease_id, usage, own_key=own_key))


def _fail(log: SimulatedLog, number: int) -> None:
    account_id, job_id, lease_id = _pick(log, number)
    log.command(account_id, job_id, FailJob(lease_id, FAILURE, (FAILED, ATTEMPT)))


def _cancel(log: SimulatedLog, number: int) -> None:
    account_id, job_id, _ = _pick(log, number)
    log.command(account_id, job_id, RequestCancel())


def _stop(log: SimulatedLog, number: int) -> None:
    account_id, job_id, lease_id = _pick(log, number)
    log.command(account_id, job_id, StopJob(lease_id, ()))


def _delete_content(log: SimulatedLog, number: int) -> None:
    job_ids = list(log.jobs)
    job_id = job_ids[number % len(job_ids)] if job_ids else ""
    log.command(log.histories[job_id][0].account_id if job_id else "", job_id, DeleteContent())


def _expire_job(log: SimulatedLog, number: int) -> None:
    account_id, job_id, _ = _pick(log, number)
    log.command(account_id, job_id, ExpireJob(log.jobs[job_id].lease_id))


def _expire_lease(log: SimulatedLog, number: int) -> None:
    account_id, job_id, lease_id = _pick(log, number)
    log.command(account_id, job_id, ExpireLease(lease_id))


def _grant(log: SimulatedLog, number: int) -> None:
    log.grant(ACCOUNTS[number % 2], HOLD * (number + 1))


def _deliveries(log: SimulatedLog) -> list[DeliveryScheduled]:
    events: list[Event] = [recorded.event for recorded in log.recorded()]
    return [event for event in events if isinstance(event, DeliveryScheduled)]


def _schedule(log: SimulatedLog, number: int) -> None:
    delivery_id = f"whd_{len(log.entries):032x}"
    event = DeliveryScheduled(
        delivery_id=delivery_id,
        message_id=f"evt_{number % 10:032x}",
        event_type="job.completed",
        url="https://example.com/hook",
        endpoint_id=f"whe_{number % 2}" if number % 3 else None,
        job_id=f"job_{number % 5 + 1:032x}",
        source_position=1,
        due_at=STARTED_AT + number,
    )
    log.append(ACCOUNTS[number % 2], delivery_id, event)


def _delivery(log: SimulatedLog, number: int) -> tuple[str, DeliveryScheduled]:
    known = _deliveries(log)
    if not known:
        raise ValueError("nothing was scheduled")
    event = known[number % len(known)]
    account_id = next(r.account_id for r in log.recorded() if r.event is event)
    return account_id, event


def _deliver(log: SimulatedLog, number: int) -> None:
    account_id, scheduled = _delivery(log, number)
    result = RESULTS[number % 4]
    event = DeliveryAttempted(
        delivery_id=scheduled.delivery_id,
        attempt=1,
        at=STARTED_AT + number,
        duration_ms=number,
        status_code=200 if result == "delivered" else 500,
        error=None if result == "delivered" else "status 500",
        result=result,
        next_attempt_at=STARTED_AT + number + 5_000 if result == "retry" else None,
    )
    log.append(account_id, scheduled.delivery_id, event)


def _redeliver(log: SimulatedLog, number: int) -> None:
    account_id, scheduled = _delivery(log, number)
    event = RedeliveryRequested(delivery_id=scheduled.delivery_id, due_at=STARTED_AT + number)
    log.append(account_id, scheduled.delivery_id, event)


STEPS: dict[str, Callable[[SimulatedLog, int], None]] = {
    "submit": _submit,
    "submit_again": _submit,
    "start": _start,
    "start_again": _start,
    "attempt": _attempt,
    "complete": _complete,
    "fail": _fail,
    "cancel": _cancel,
    "stop": _stop,
    "delete_content": _delete_content,
    "expire_job": _expire_job,
    "expire_lease": _expire_lease,
    "grant": _grant,
    "schedule": _schedule,
    "deliver": _deliver,
    "redeliver": _redeliver,
    **HEALTH_STEPS,
}
