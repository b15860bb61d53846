"""The webhook routes over HTTP, with the official client where it knows them."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from standardwebhooks import WebhookVerificationError

from tests.support.client import Account, chat
from tests.support.engine import RunningEngine, running_engine
from tests.support.webhook_receiver import Reply, WebhookReceiver

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


@pytest.fixture
async def sdk(account: Account) -> AsyncIterator[openai.AsyncOpenAI]:
    base_url = f"{account.base_url}/v1"
    async with openai.AsyncOpenAI(api_key=account.api_key, base_url=base_url) as opened:
        yield opened


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


async def test_the_official_client_manages_an_endpoint(
    sdk: openai.AsyncOpenAI, receiver: WebhookReceiver
) -> None:
    types: Any = ["job.completed"]
    created = await sdk.webhooks.create(event_types=types, name="mine", url=receiver.url)
    assert created.signing_secret.startswith("whsec_")
    updated = await sdk.webhooks.update(created.id, name="yours")
    assert (updated.name, updated.url) == ("yours", receiver.url)
    assert (await sdk.webhooks.retrieve(created.id)).name == "yours"
    assert [endpoint.id async for endpoint in sdk.webhooks.list()] == [created.id]
    assert (await sdk.webhooks.delete(created.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await sdk.webhooks.retrieve(created.id)


async def test_the_official_client_lists_the_event_types(sdk: openai.AsyncOpenAI) -> None:
    types = await sdk.webhooks.event_types.list()
    assert {"job.completed", "job.expired", "response.completed"} <= set(types.data)


async def test_the_official_client_unwraps_a_job_that_ended(
    account: Account, sdk: openai.AsyncOpenAI, receiver: WebhookReceiver
) -> None:
    endpoint = await create(account, receiver.url, payload="thin")
    job_id = await account.submit()
    (received,) = await receiver.count(1)
    secret = endpoint["signing_secret"]
    event: Any = sdk.webhooks.unwrap(received.body, received.headers, secret=secret)
    assert (event.type, event.data.id) == ("job.completed", job_id)


async def test_a_test_message_comes_signed_and_says_what_was_answered(
    account: Account, sdk: openai.AsyncOpenAI, receiver: WebhookReceiver
) -> None:
    endpoint = await create(account, receiver.url)
    receiver.answer(Reply(418))
    wanted: Any = "job.failed"
    result = await sdk.webhooks.test(endpoint["id"], event_type=wanted)
    (received,) = receiver.received
    assert (result.status_code, result.success, result.event_type) == (418, False, "job.failed")
    assert received.is_signed_with(endpoint["signing_secret"])
    assert received.message["data"]["ping"] is True


@pytest.mark.parametrize(
    ("status", "success"), [(200, True), (204, True), (302, False), (410, False), (500, False)]
)
async def test_a_test_message_succeeds_by_2xx_alone(
    account: Account, receiver: WebhookReceiver, status: int, success: bool
) -> None:
    endpoint = await create(account, receiver.url)
    receiver.answer(Reply(status))
    reply = await account.post(f"/v1/webhook_endpoints/{endpoint['id']}/test")
    assert (reply.json["status_code"], reply.json["success"]) == (status, success)


async def test_a_test_message_that_nobody_answers_is_no_success(account: Account) -> None:
    endpoint = await create(account, "http://127.0.0.1:1/")
    reply = await account.post(f"/v1/webhook_endpoints/{endpoint['id']}/test")
    assert reply.status == 200
    assert (reply.json["success"], reply.json["status_code"]) == (False, None)


async def test_the_secret_is_shown_on_creation_alone(
    account: Account, receiver: WebhookReceiver
) -> None:
    endpoint = await create(account, receiver.url)
    shown = (await account.get(f"/v1/webhook_endpoints/{endpoint['id']}")).json
    assert "signing_secret" not in shown
    assert shown["signing_secret_hint"].endswith(endpoint["signing_secret"][-4:])


async def test_a_rotation_without_overlap_ends_the_old_secret(
    account: Account, sdk: openai.AsyncOpenAI, receiver: WebhookReceiver
) -> None:
    endpoint = await create(account, receiver.url)
    rotated = await sdk.webhooks.rotate_secret(endpoint["id"])
    await account.submit()
    (received,) = await receiver.count(1)
    assert received.is_signed_with(rotated.signing_secret)
    with pytest.raises(WebhookVerificationError):
        received.is_signed_with(endpoint["signing_secret"])


async def test_a_rotation_with_overlap_keeps_the_old_secret(
    account: Account, sdk: openai.AsyncOpenAI, receiver: WebhookReceiver
) -> None:
    endpoint = await create(account, receiver.url)
    rotated = await sdk.webhooks.rotate_secret(
        endpoint["id"], keep_old_secret_active_for_24_hours=True
    )
    await account.submit()
    (received,) = await receiver.count(1)
    assert received.is_signed_with(rotated.signing_secret)
    assert received.is_signed_with(endpoint["signing_secret"])


async def test_a_jobs_own_url_is_signed_with_the_default_secret(
    account: Account, receiver: WebhookReceiver
) -> None:
    secret = (await account.get("/v1/webhook_endpoints/default/secret")).json["key"]
    job_id = await account.submit(chat(webhook={"url": receiver.url}))
    (received,) = await receiver.count(1)
    assert received.is_signed_with(secret)
    job = await account.job(job_id)
    data = received.message["data"]
    assert data.pop("result")["choices"]
    assert data == job


async def test_the_default_secret_can_be_rotated(
    account: Account, receiver: WebhookReceiver
) -> None:
    path = "/v1/webhook_endpoints/default"
    old = (await account.get(f"{path}/secret")).json["key"]
    new = (await account.post(f"{path}/rotate_secret", {"overlap_seconds": 60})).json["key"]
    assert (await account.get(f"{path}/secret")).json["key"] == new != old
    await account.submit(chat(webhook={"url": receiver.url}))
    (received,) = await receiver.count(1)
    assert received.is_signed_with(old)
    assert received.is_signed_with(new)


async def test_a_delivery_shows_every_attempt(account: Account, receiver: WebhookReceiver) -> None:
    receiver.answer(Reply(500))
    endpoint = await create(account, receiver.url)
    job_id = await account.submit()
    await receiver.count(2)
    delivery = await finished_delivery(account, receiver)
    assert delivery["object"] == "webhook_delivery"
    assert (delivery["job_id"], delivery["endpoint_id"]) == (job_id, endpoint["id"])
    assert [attempt["status_code"] for attempt in delivery["attempts"]] == [500, 200]
    assert delivery["event_id"] == receiver.received[0].message_id


@pytest.mark.parametrize("field", ["event_id", "job_id", "endpoint_id", "status"])
async def test_deliveries_are_found_by(
    field: str, account: Account, receiver: WebhookReceiver
) -> None:
    await create(account, receiver.url)
    await account.submit()
    delivery = await finished_delivery(account, receiver)
    assert await only_delivery(account, f"?{field}={delivery[field]}") == delivery
    other = "pending" if field == "status" else "other"
    assert (await account.get(f"/v1/webhook_deliveries?{field}={other}")).json["data"] == []


async def test_a_delivery_is_made_again_with_the_same_id(
    account: Account, receiver: WebhookReceiver
) -> None:
    await create(account, receiver.url)
    await account.submit()
    delivery = await finished_delivery(account, receiver)
    reply = await account.post(f"/v1/webhook_deliveries/{delivery['id']}/redeliver")
    first, second = await receiver.count(2)
    assert (reply.status, reply.json["id"]) == (200, delivery["id"])
    assert (first.message_id, first.body) == (second.message_id, second.body)


async def test_a_delivery_to_a_deleted_endpoint_is_not_made_again(
    account: Account, receiver: WebhookReceiver
) -> None:
    endpoint = await create(account, receiver.url)
    await account.submit()
    delivery = await finished_delivery(account, receiver)
    await account.send("DELETE", f"/v1/webhook_endpoints/{endpoint['id']}")
    reply = await account.post(f"/v1/webhook_deliveries/{delivery['id']}/redeliver")
    assert (reply.status, reply.error["code"]) == (409, "endpoint_disabled")


async def test_a_disabled_endpoint_catches_up_by_a_replay(
    account: Account, receiver: WebhookReceiver
) -> None:
    endpoint = await create(account, receiver.url)
    path = f"/v1/webhook_endpoints/{endpoint['id']}"
    since = time.time() - 60
    await account.post(path, {"enabled": False})
    jobs = {await account.submit() for _ in range(3)}
    for job_id in jobs:
        await account.finished(job_id)
    assert (await account.post(f"{path}/replay", {"since": since})).status == 409
    await account.post(path, {"enabled": True})
    reply = await account.post(f"{path}/replay", {"since": since})
    received = await receiver.count(3)
    assert (reply.json["deliveries"], reply.json["has_more"]) == (3, False)
    assert {r.message["data"]["id"] for r in received} == jobs


async def test_an_endpoint_that_answers_410_is_shown_as_disabled(
    account: Account, receiver: WebhookReceiver
) -> None:
    receiver.always(Reply(410))
    endpoint = await create(account, receiver.url)
    await account.submit()
    assert (await finished_delivery(account, receiver))["status"] == "disabled"
    path = f"/v1/webhook_endpoints/{endpoint['id']}"
    async with asyncio.timeout(10):
        while (await account.get(path)).json["enabled"]:
            await asyncio.sleep(0.01)


async def test_endpoints_are_listed_newest_first_in_pages(
    account: Account, receiver: WebhookReceiver
) -> None:
    ids = [(await create(account, receiver.url))["id"] for _ in range(3)]
    first = (await account.get("/v1/webhook_endpoints?limit=2")).json
    second = (await account.get(f"/v1/webhook_endpoints?after={first['last_id']}")).json
    assert [e["id"] for e in [*first["data"], *second["data"]]] == ids[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)
