"""The oracle finds each kind of damage, and finds nothing in an undamaged log."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.billing.events import ChargeRecorded, Entry
from domain.billing.wallet import Wallet
from domain.event import Event, Recorded
from domain.inference.commands import StartJob
from domain.inference.events import JobAccepted, JobCompleted, JobFailed, Usage
from projections.invariants import violations
from tests.support.simulated_log import HOLD, STARTED_AT, SimulatedLog, completion, job_accepted
from tests.support.simulated_work import FAILURE

Log = list[Recorded[Event]]
ACCOUNT, JOB = "acct_1", "job_1"


def finished_job() -> SimulatedLog:
    log = SimulatedLog()
    log.publish_prices()
    log.grant(ACCOUNT, 2 * HOLD)
    log.submit(ACCOUNT, job_accepted(JOB))
    log.command(ACCOUNT, JOB, StartJob("lease_1", "w1", STARTED_AT))
    log.command(ACCOUNT, JOB, completion(JOB, "lease_1", Usage(input_tokens=3, output_tokens=4)))
    return log


def rules_broken(log: Log, **against: object) -> set[str]:
    return {violation.rule for violation in violations(log, **against)}  # type: ignore[arg-type]


def test_an_undamaged_log_breaks_no_rule() -> None:
    log = finished_job()
    shown = {JOB: "succeeded"}
    recorded = list(log.recorded())
    assert not violations(recorded, drained=True, wallets=log.wallets, job_statuses=shown)


def job_under_an_own_key() -> SimulatedLog:
    log, usage = SimulatedLog(), Usage(input_tokens=3, output_tokens=4)
    log.publish_prices()
    log.submit(ACCOUNT, job_accepted(JOB, own_key="pkey_1"))
    log.command(ACCOUNT, JOB, StartJob("lease_1", "w1", STARTED_AT))
    log.command(ACCOUNT, JOB, completion(JOB, "lease_1", usage, own_key="pkey_1"))
    return log


def change(event_type: type[Event], **fields: object) -> Callable[[Log], Log]:
    """The log with fields of every event of one type changed."""

    def damage(log: Log) -> Log:
        return [
            r._replace(event=replace(r.event, **fields))  # type: ignore[type-var]
            if isinstance(r.event, event_type)
            else r
            for r in log
        ]

    return damage


def drop(event_type: type[Event]) -> Callable[[Log], Log]:
    """The log without the events of one type."""
    return lambda log: [r for r in log if not isinstance(r.event, event_type)]


def again(event: Event) -> Callable[[Log], Log]:
    """The log with one more event of the job at its end."""

    def damage(log: Log) -> Log:
        last = log[-1]
        return [*log, last._replace(position=last.position + 1, stream="other", event=event)]

    return damage


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (drop(JobAccepted), "an accepted job ends once"),
        (again(JobFailed(job_id=JOB, failure=FAILURE)), "an accepted job ends once"),
        (drop(ChargeRecorded), "a completed job has one charge"),
        (drop(ChargeRecorded), "only unfinished jobs hold money"),
        (drop(JobCompleted), "a charge has a completed job"),
        (change(JobCompleted, cost_picodollars=1), "a charge is the rating of its usage"),
        (change(ChargeRecorded, lines=()), "a charge is the rating of its usage"),
        (change(ChargeRecorded, price_version="pb_2"), "a charge is the rating of its usage"),
        (
            change(ChargeRecorded, usage=Usage(input_tokens=9, output_tokens=9)),
            "a charge is the rating of its usage",
        ),
        (change(ChargeRecorded, balance_picodollars=1), "recorded balances are the fold's"),
        (
            change(ChargeRecorded, entries=(Entry(account="revenue", picodollars=1),)),
            "entries sum to zero",
        ),
        (change(ChargeRecorded, entries=()), "entries move the whole amount"),
        (change(JobAccepted, hold_picodollars=9 * HOLD), "the wallet allows every movement"),
        (change(ChargeRecorded, picodollars=9 * HOLD), "the wallet allows every movement"),
        (drop(ChargeRecorded), "wallets are the fold of the log"),
        (drop(JobAccepted), "the jobs read model shows every job"),
        (lambda log: log[1:], "positions are gap-free"),
        (lambda log: [r for r in log if r.version != 2], "stream versions are gap-free"),
    ],
)
def test_damage_breaks_its_rule(damage: Callable[[Log], Log], rule: str) -> None:
    log = finished_job()
    damaged = damage(list(log.recorded()))
    assert rule in rules_broken(damaged, wallets=log.wallets, job_statuses={JOB: "succeeded"})


def test_a_job_under_an_own_key_costs_nothing_and_breaks_no_rule() -> None:
    log = job_under_an_own_key()
    assert not violations(list(log.recorded()), drained=True, wallets=log.wallets)


@pytest.mark.parametrize("own_key", [None, "pkey_2"])
def test_a_charge_under_another_key_than_the_jobs_is_a_violation(own_key: str | None) -> None:
    damaged = change(ChargeRecorded, own_key=own_key)(list(job_under_an_own_key().recorded()))
    assert "a charge is the rating of its usage" in rules_broken(damaged)


def test_a_charge_that_calls_a_house_key_the_customers_is_a_violation() -> None:
    damaged = change(ChargeRecorded, own_key="pkey_1")(list(finished_job().recorded()))
    assert "a charge is the rating of its usage" in rules_broken(damaged)


def test_an_accepted_job_without_an_end_is_a_violation_once_work_is_drained() -> None:
    log = finished_job()
    log.submit(ACCOUNT, job_accepted("job_2"))
    assert "every accepted job ends" in rules_broken(list(log.recorded()), drained=True)


def test_an_accepted_job_without_an_end_is_fine_while_work_goes_on() -> None:
    log = finished_job()
    log.submit(ACCOUNT, job_accepted("job_2"))
    assert not violations(list(log.recorded()))


def test_a_wallet_that_the_log_does_not_know_is_a_violation() -> None:
    stored = {**finished_job().wallets, "acct_9": Wallet(purchased=1)}
    log = list(finished_job().recorded())
    assert rules_broken(log, wallets=stored) == {"wallets are the fold of the log"}


def test_a_job_that_is_shown_as_running_after_its_end_is_a_violation() -> None:
    log = list(finished_job().recorded())
    shown = {JOB: "running"}
    assert rules_broken(log, job_statuses=shown) == {"the jobs read model shows every job"}
