"""What may not happen to money over HTTP: overspending, and paying twice."""

import asyncio
import sqlite3
from contextlib import closing
from decimal import Decimal

from tests.support.client import Account, chat
from tests.support.engine import RunningEngine
from tests.support.scripted_provider import answer, silence


async def hold_of_one_job(engine: RunningEngine) -> Decimal:
    """What the job of `chat()` sets aside."""
    poor = await engine.account(credit_usd=None)
    reply = await poor.post("/v1/jobs", chat())
    return Decimal(reply.error["required_usd"])


async def test_of_fifty_at_once_exactly_those_that_the_balance_covers_are_accepted(
    engine: RunningEngine,
) -> None:
    engine.upstream.default = silence()
    hold = await hold_of_one_job(engine)
    account = await engine.account(str(hold * 10))
    replies = await asyncio.gather(*(account.post("/v1/jobs", chat()) for _ in range(50)))
    refused = [reply for reply in replies if reply.status != 202]
    assert len(refused) == 40
    assert {(reply.status, reply.error["code"]) for reply in refused} == {
        (402, "insufficient_credits")
    }
    assert {Decimal(reply.error["shortfall_usd"]) for reply in refused} == {hold}
    balance = await account.balance()
    assert Decimal(balance["held_usd"]) == hold * 10
    assert Decimal(balance["available_usd"]) == 0
    for reply in replies:
        if reply.status == 202:
            await account.post(f"{reply.headers['location']}/cancel")


async def test_no_balance_on_the_ledger_is_ever_negative(engine: RunningEngine) -> None:
    hold = await hold_of_one_job(engine)
    account = await engine.account(str(hold * 10))
    replies = await asyncio.gather(*(account.post("/v1/jobs", chat()) for _ in range(50)))
    accepted = [reply.json["id"] for reply in replies if reply.status == 202]
    jobs = await asyncio.gather(*(account.finished(job_id) for job_id in accepted))
    spent = sum(Decimal(job["cost_usd"]) for job in jobs)
    balance = await account.balance()
    assert Decimal(balance["total_usd"]) == hold * 10 - spent
    assert Decimal(balance["held_usd"]) == 0
    assert Decimal(balance["total_usd"]) >= 0


async def test_one_key_twenty_times_in_parallel_is_one_job_one_call_and_one_charge(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.default = answer(delay=0.1)
    replies = await asyncio.gather(
        *(account.post("/v1/jobs", chat(), **{"idempotency-key": "order-7"}) for _ in range(20))
    )
    assert {reply.status for reply in replies} == {202}
    (job_id,) = {reply.json["id"] for reply in replies}
    await account.finished(job_id)
    replayed = [reply for reply in replies if reply.headers.get("idempotent-replayed") == "true"]
    assert len(replayed) == 19
    assert len(engine.upstream.requests) == 1
    assert len(await account.charges(job_id)) == 1
    ledger = (await account.get("/v1/billing/ledger?type=charge")).json["data"]
    assert len(ledger) == 1


async def test_a_replay_after_the_end_answers_with_the_job_as_it_is(account: Account) -> None:
    job_id = await account.submit(chat(), **{"idempotency-key": "order-7"})
    await account.finished(job_id)
    reply = await account.post("/v1/jobs", chat(), **{"idempotency-key": "order-7"})
    assert (reply.json["id"], reply.json["status"]) == (job_id, "succeeded")
    assert reply.headers["idempotent-replayed"] == "true"


async def test_the_same_json_in_another_order_is_the_same_input(account: Account) -> None:
    submission = chat()
    job_id = await account.submit(submission, **{"idempotency-key": "order-7"})
    turned = dict(reversed(submission.items()))
    assert await account.submit(turned, **{"idempotency-key": "order-7"}) == job_id


async def test_one_key_with_another_body_is_refused(
    engine: RunningEngine, account: Account
) -> None:
    await account.finished(await account.submit(chat("one"), **{"idempotency-key": "order-7"}))
    head = engine.head
    reply = await account.post("/v1/jobs", chat("two"), **{"idempotency-key": "order-7"})
    assert (reply.status, reply.error["code"]) == (422, "idempotency_key_reused")
    assert engine.head == head


async def test_one_key_of_two_accounts_is_two_jobs(engine: RunningEngine, account: Account) -> None:
    other = await engine.account()
    headers = {"idempotency-key": "order-7"}
    assert await account.submit(chat(), **headers) != await other.submit(chat(), **headers)


async def test_a_replay_needs_no_money(engine: RunningEngine) -> None:
    engine.upstream.default = silence()
    account = await engine.account(str(await hold_of_one_job(engine)))
    job_id = await account.submit(chat(), **{"idempotency-key": "order-7"})
    assert await account.submit(chat(), **{"idempotency-key": "order-7"}) == job_id
    await account.post(f"/v1/jobs/{job_id}/cancel")


async def test_credit_is_answered_from_the_log_while_the_read_models_lag(
    engine: RunningEngine, account: Account
) -> None:
    read_models = engine.settings.data_dir / "read_models.db"
    body = {"amount_usd": "3.00", "reason": "late"}
    with closing(sqlite3.connect(read_models, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # nothing can be folded meanwhile
        reply = await engine.admin.post(f"/admin/accounts/{account.account_id}/credits", body)
        other.execute("ROLLBACK")
    assert reply.status == 201, reply.body
    (listed, *_) = (await account.get("/v1/billing/ledger")).json["data"]
    assert reply.json == listed
