"""Creating things twice under one Idempotency-Key: the same thing, and another input refused."""

import asyncio
from typing import Any

import pytest

from tests.support.client import Account, Client
from tests.support.engine import RunningEngine

ENDPOINT = {"url": "http://127.0.0.1:9/hook", "event_types": ["job.completed"]}
# path, body, another body, where the id stands in the reply
CREATIONS = [
    ("/v1/keys", {"name": "ci", "scopes": ["jobs"]}, {"name": "cd", "scopes": ["jobs"]}, "key"),
    ("/v1/webhook_endpoints", ENDPOINT, {**ENDPOINT, "name": "other"}, None),
]


def id_in(body: Any, place: str | None) -> str:
    found: str = (body if place is None else body[place])["id"]
    return found


@pytest.mark.parametrize(("path", "body", "other", "place"), CREATIONS)
async def test_the_same_request_twice_makes_one_thing(
    account: Account, path: str, body: Any, other: Any, place: str | None
) -> None:
    replies = await asyncio.gather(
        *(account.post(path, body, **{"idempotency-key": "once"}) for _ in range(5))
    )
    assert {reply.status for reply in replies} == {201}
    assert len({id_in(reply.json, place) for reply in replies}) == 1
    replayed = [reply.headers.get("idempotent-replayed") for reply in replies]
    assert sorted(replayed, key=str) == [None, "true", "true", "true", "true"]


@pytest.mark.parametrize(("path", "body", "other", "place"), CREATIONS)
async def test_another_input_under_the_same_key_is_refused(
    account: Account, path: str, body: Any, other: Any, place: str | None
) -> None:
    await account.post(path, body, **{"idempotency-key": "once"})
    reply = await account.post(path, other, **{"idempotency-key": "once"})
    assert (reply.status, reply.error["code"]) == (422, "idempotency_key_reused")


async def test_a_secret_is_shown_once_even_to_a_replay(account: Account) -> None:
    first, second = [
        await account.post("/v1/keys", {"name": "ci"}, **{"idempotency-key": "once"})
        for _ in range(2)
    ]
    assert first.json["api_key"].startswith("gw_live_")
    assert second.json["api_key"] is None


async def test_a_key_is_rotated_once(account: Account) -> None:
    key_id, _ = await account.key("jobs")
    path, once = f"/v1/keys/{key_id}/rotate", {"idempotency-key": "once"}
    first, second = [await account.post(path, {"overlap_seconds": 9}, **once) for _ in range(2)]
    assert (await account.with_key(first.json["api_key"]).get("/v1/jobs")).status == 200
    assert (second.json["api_key"], second.headers["idempotent-replayed"]) == (None, "true")
    assert second.json["key"] == first.json["key"]
    other = await account.post(path, {"overlap_seconds": 0}, **once)
    assert (other.status, other.error["code"]) == (422, "idempotency_key_reused")


async def test_credit_is_granted_once(engine: RunningEngine, account: Account) -> None:
    admin: Client = engine.admin
    path = f"/admin/accounts/{account.account_id}/credits"
    before = (await account.balance())["total_usd"]
    body = {"amount_usd": "1.00", "reason": "thanks"}
    replies = [await admin.post(path, body, **{"idempotency-key": "gift"}) for _ in range(3)]
    assert len({reply.json["id"] for reply in replies}) == 1
    gained = float((await account.balance())["total_usd"]) - float(before)
    assert gained == pytest.approx(1.0)


async def test_an_account_is_opened_once(engine: RunningEngine) -> None:
    replies = [
        await engine.admin.post("/admin/accounts", {"name": "Acme"}, **{"idempotency-key": "a"})
        for _ in range(2)
    ]
    assert len({reply.json["account"]["id"] for reply in replies}) == 1
    other = await engine.admin.post(
        "/admin/accounts", {"name": "Other"}, **{"idempotency-key": "a"}
    )
    assert other.status == 422


async def test_two_accounts_may_use_the_same_key(engine: RunningEngine) -> None:
    first, second = await engine.account(), await engine.account()
    replies = [
        await one.post("/v1/keys", {"name": "ci"}, **{"idempotency-key": "same"})
        for one in (first, second)
    ]
    assert replies[0].json["key"]["id"] != replies[1].json["key"]["id"]
