"""What the webhook routes refuse, and whose they are."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from domain.webhooks.registration import MAX_ENDPOINTS
from tests.support.client import Account
from tests.support.engine import RunningEngine, running_engine
from tests.support.webhook_receiver import WebhookReceiver

EVERY = ["*"]


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as opened:
        yield opened


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningEngine]:
    async with running_engine(tmp_path) as running:
        yield running


@pytest.fixture
async def account(gateway: RunningEngine) -> Account:
    return await gateway.account()


async def create(account: Account, url: str, **changes: Any) -> dict[str, Any]:
    body = {"url": url, "event_types": EVERY, **changes}
    reply = await account.post("/v1/webhook_endpoints", body)
    assert reply.status == 201, reply.body
    endpoint: dict[str, Any] = reply.json
    return endpoint


async def only_delivery(account: Account, query: str = "") -> dict[str, Any]:
    reply = await account.get(f"/v1/webhook_deliveries{query}")
    (delivery,) = reply.json["data"]
    assert isinstance(delivery, dict)
    return delivery


async def finished_delivery(account: Account, receiver: WebhookReceiver) -> dict[str, Any]:
    """The one delivery, made and recorded."""
    await receiver.count(1)
    async with asyncio.timeout(10):
        while (delivery := await only_delivery(account))["status"] == "pending":
            await asyncio.sleep(0.01)
    return delivery


async def test_another_account_sees_nothing(
    gateway: RunningEngine, account: Account, receiver: WebhookReceiver
) -> None:
    endpoint = await create(account, receiver.url)
    await account.submit()
    delivery = await finished_delivery(account, receiver)
    other = await gateway.account()
    endpoint_path = f"/v1/webhook_endpoints/{endpoint['id']}"
    delivery_path = f"/v1/webhook_deliveries/{delivery['id']}"
    replies = [
        await other.get(endpoint_path),
        await other.post(endpoint_path, {"name": "mine"}),
        await other.send("DELETE", endpoint_path),
        await other.post(f"{endpoint_path}/rotate_secret"),
        await other.post(f"{endpoint_path}/test"),
        await other.post(f"{endpoint_path}/replay", {"since": 1}),
        await other.get(delivery_path),
        await other.post(f"{delivery_path}/redeliver"),
    ]
    assert {reply.status for reply in replies} == {404}
    assert (await other.get("/v1/webhook_endpoints")).json["data"] == []
    assert (await other.get("/v1/webhook_deliveries")).json["data"] == []


async def test_a_key_without_the_scope_is_refused(account: Account) -> None:
    _, reader = await account.key("billing:read")
    assert (await reader.get("/v1/webhook_endpoints")).status == 403
    assert (await reader.get("/v1/webhook_endpoints/default/secret")).status == 403
    assert (await reader.get("/v1/webhook_deliveries")).status == 403


async def test_a_private_target_is_refused_where_they_are_not_allowed(tmp_path: Path) -> None:
    async with running_engine(tmp_path, webhooks={"allow_private_targets": False}) as gateway:
        account = await gateway.account()
        head = gateway.head
        body = {"url": "https://127.0.0.1/hook", "event_types": EVERY}
        reply = await account.post("/v1/webhook_endpoints", body)
        assert (reply.status, reply.error["code"]) == (400, "webhook_target_refused")
        assert reply.error["param"] == "url"
        assert gateway.head == head


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"event_types": []}, "event_types"),
        ({"event_types": ["job.unknown"]}, "event_types.0"),
        ({"payload": "fat"}, "payload"),
        ({"url": 7}, "url"),
        ({"colour": "red"}, "colour"),
        ({"name": "n" * 101}, "name"),
    ],
)
async def test_a_bad_endpoint_is_refused_and_nothing_is_recorded(
    gateway: RunningEngine, account: Account, changes: dict[str, Any], param: str
) -> None:
    head = gateway.head
    body = {"url": "https://example.com/", "event_types": EVERY, **changes}
    reply = await account.post("/v1/webhook_endpoints", body)
    assert reply.status == 400
    assert reply.error["param"].startswith(param)
    assert gateway.head == head


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"since": 2, "until": 1},
        {"since": -1},
        {"since": "now"},
        {"since": 1, "until": 604_802},
        {"since": 1},
        {"since": 1, "until": 2, "after": -1},
        {"since": 1, "until": 2, "after": 2**53},
    ],
)
async def test_a_bad_replay_is_refused(
    account: Account, receiver: WebhookReceiver, body: dict[str, Any]
) -> None:
    endpoint = await create(account, receiver.url)
    path = f"/v1/webhook_endpoints/{endpoint['id']}/replay"
    assert (await account.post(path, body)).status == 400


async def test_parallel_registrations_keep_to_the_limit_of_an_account(
    account: Account, receiver: WebhookReceiver
) -> None:
    body = {"url": receiver.url, "event_types": EVERY}
    replies = await asyncio.gather(
        *(account.post("/v1/webhook_endpoints", body) for _ in range(MAX_ENDPOINTS + 10))
    )
    refused = [reply for reply in replies if reply.status != 201]
    assert len(refused) == 10
    assert {reply.error["code"] for reply in refused} == {"webhook_endpoint_limit"}


async def test_an_account_at_its_limit_still_gets_the_answer_of_a_repeated_request(
    account: Account, receiver: WebhookReceiver
) -> None:
    body, once = {"url": receiver.url, "event_types": EVERY}, {"idempotency-key": "once"}
    first = await account.post("/v1/webhook_endpoints", body, **once)
    await asyncio.gather(
        *(account.post("/v1/webhook_endpoints", body) for _ in range(MAX_ENDPOINTS))
    )
    second = await account.post("/v1/webhook_endpoints", body, **once)
    assert (second.status, second.json["id"]) == (201, first.json["id"])
