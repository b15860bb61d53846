"""What the rows of each read model show, given a history."""

from collections.abc import Callable

import pytest

from domain.inference.commands import (
    DeleteContent,
    ExpireJob,
    FailJob,
    JobCommand,
    RecordFailedAttempt,
    RequestCancel,
    StartJob,
    StopJob,
)
from domain.inference.events import Usage, WebhookTarget
from domain.inference.view import job_object
from domain.money import picodollars_to_usd as usd
from domain.webhooks.events import DeliveryAttempted, DeliveryScheduled, RedeliveryRequested
from projections import balances, deliveries, jobs, ledger
from tests.support.read_models import folded
from tests.support.simulated_log import HOLD, STARTED_AT, SimulatedLog, completion, job_accepted
from tests.support.simulated_work import FAILED, FAILURE

ACCOUNT, JOB, DELIVERY = "acct_1", "job_1", "whd_1"
USAGE = Usage(input_tokens=30, output_tokens=4, reasoning_tokens=1)


def running_job(hold: int = HOLD) -> SimulatedLog:
    log = SimulatedLog()
    log.grant(ACCOUNT, 2 * HOLD)
    webhook = WebhookTarget(url="https://example.com/hook", events=("job.completed",))
    accepted = job_accepted(JOB, metadata={"b": "2", "a": "1"}, webhook=webhook, hold=hold)
    log.submit(ACCOUNT, accepted)
    log.command(ACCOUNT, JOB, StartJob("lease_1", "w1", STARTED_AT))
    log.command(ACCOUNT, JOB, RecordFailedAttempt("lease_1", FAILED))
    return log


@pytest.mark.parametrize(
    "end",
    [
        lambda: completion(JOB, "lease_1", USAGE),
        lambda: FailJob("lease_1", FAILURE, (FAILED,)),
        lambda: StopJob("lease_1", ()),
        lambda: ExpireJob("lease_1"),
        RequestCancel,
    ],
    ids=["succeeded", "failed", "cancelled", "expired", "cancel requested"],
)
def test_a_row_shows_the_job_as_its_history_does(end: Callable[[], JobCommand]) -> None:
    log = running_job()
    log.command(ACCOUNT, JOB, end())
    row = folded(jobs.PROJECTION, log.entries).tables["jobs"][JOB,]
    assert jobs.job_object(row, log.head()) == job_object(log.histories[JOB])


def test_a_row_shows_that_the_content_was_deleted_and_when_the_job_had_ended() -> None:
    log = running_job()
    log.command(ACCOUNT, JOB, completion(JOB, "lease_1", USAGE))
    ended = log.head()
    before = job_object(log.histories[JOB])
    log.command(ACCOUNT, JOB, DeleteContent())
    row = folded(jobs.PROJECTION, log.entries).tables["jobs"][JOB,]
    shown = jobs.job_object(row, log.head())
    assert shown == job_object(log.histories[JOB])
    deleted_at = shown.pop("content_deleted_at")
    assert deleted_at > before["finished_at"]
    assert shown == {**before, "result_url": None}
    assert jobs.job_object(row, ended) == before


def test_a_job_knows_the_key_that_submitted_it() -> None:
    row = folded(jobs.PROJECTION, running_job().entries).tables["jobs"][JOB,]
    assert (row["actor_type"], row["actor_id"]) == ("key", f"key_{ACCOUNT}")


def test_a_hold_ends_with_its_job() -> None:
    log = running_job()
    assert folded(balances.PROJECTION, log.entries).tables["holds"]
    log.command(ACCOUNT, JOB, completion(JOB, "lease_1", USAGE))
    assert not folded(balances.PROJECTION, log.entries).tables["holds"]


def test_a_balance_shows_what_is_held() -> None:
    row = folded(balances.PROJECTION, running_job().entries).tables["balances"][ACCOUNT,]
    shown = balances.balance_object(balances.wallet_of(row), 4)
    assert shown == {
        "object": "balance",
        "currency": "USD",
        "total_usd": usd(2 * HOLD),
        "available_usd": usd(HOLD),
        "held_usd": usd(HOLD),
        "allowance_usd": usd(0),
        "purchased_usd": usd(2 * HOLD),
        "as_of": "4",
    }


def test_a_charge_explains_itself() -> None:
    log = running_job()
    log.command(ACCOUNT, JOB, completion(JOB, "lease_1", USAGE))
    row = folded(ledger.PROJECTION, log.entries).tables["charges"]["chg_1",]
    shown = ledger.charge_object(row)
    assert shown["amount_usd"] == "0.000038"
    assert [line["amount_usd"] for line in shown["lines"]] == ["0.00003", "0.000008"]
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["ok"]
    assert [entry["amount_usd"] for entry in shown["ledger"]] == ["-0.000038"]


def test_the_line_that_gives_back_what_passed_the_ceiling_has_no_unit_price() -> None:
    log = running_job(hold=1_000_000)
    log.command(ACCOUNT, JOB, completion(JOB, "lease_1", USAGE, hold=1_000_000))
    row = folded(ledger.PROJECTION, log.entries).tables["charges"]["chg_1",]
    assert ledger.charge_object(row)["lines"][-1] == {
        "dimension": "ceiling",
        "quantity": 1,
        "unit_price_usd_per_million": None,
        "amount_usd": "-0.000037",
    }


def test_the_entries_of_a_charge_are_those_of_the_ledger() -> None:
    log = running_job()
    log.command(ACCOUNT, JOB, completion(JOB, "lease_1", USAGE))
    tables = folded(ledger.PROJECTION, log.entries).tables
    listed = [ledger.ledger_entry_object(row) for row in tables["ledger_entries"].values()]
    explained = ledger.charge_object(tables["charges"]["chg_1",])["ledger"]
    assert [entry for entry in listed if entry["charge_id"] == "chg_1"] == explained


def test_only_the_customers_side_of_an_entry_set_is_listed() -> None:
    rows = folded(ledger.PROJECTION, running_job().entries).tables["ledger_entries"].values()
    assert [(row["type"], row["bucket"]) for row in rows] == [("grant", "purchased")]


def delivery() -> SimulatedLog:
    log = SimulatedLog()
    scheduled = DeliveryScheduled(
        delivery_id=DELIVERY,
        message_id="evt_1",
        event_type="job.completed",
        url="https://example.com/hook",
        endpoint_id=None,
        job_id=JOB,
        source_position=1,
        due_at=STARTED_AT,
    )
    log.append(ACCOUNT, DELIVERY, scheduled)
    attempted = DeliveryAttempted(
        delivery_id=DELIVERY,
        attempt=1,
        at=STARTED_AT + 10,
        duration_ms=5,
        status_code=500,
        error="status 500",
        result="retry",
        next_attempt_at=STARTED_AT + 5_000,
    )
    log.append(ACCOUNT, DELIVERY, attempted)
    return log


def delivery_shown(log: SimulatedLog, as_of: int) -> dict[str, object]:
    row = folded(deliveries.PROJECTION, log.entries).tables["webhook_deliveries"][DELIVERY,]
    return deliveries.delivery_object(row, as_of)


def test_a_delivery_shows_its_attempts_and_when_the_next_is_due() -> None:
    shown = delivery_shown(delivery(), 2)
    assert shown["status"] == "pending"
    assert shown["next_attempt_at"] == (STARTED_AT + 5_000) / 1000
    assert shown["attempts"] == [
        {
            "at": (STARTED_AT + 10) / 1000,
            "status_code": 500,
            "error": "status 500",
            "duration_ms": 5,
        }
    ]


def test_a_delivery_as_of_an_earlier_position_lacks_the_later_attempt() -> None:
    shown = delivery_shown(delivery(), 1)
    assert (shown["attempts"], shown["next_attempt_at"]) == ([], STARTED_AT / 1000)


def test_a_redelivery_makes_a_delivery_pending_again() -> None:
    log = delivery()
    due_at = STARTED_AT + 9_000
    log.append(ACCOUNT, DELIVERY, RedeliveryRequested(delivery_id=DELIVERY, due_at=due_at))
    shown = delivery_shown(log, 3)
    assert (shown["status"], shown["next_attempt_at"]) == ("pending", due_at / 1000)
