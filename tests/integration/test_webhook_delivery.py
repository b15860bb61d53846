"""Webhooks end to end: from an event in the log to a signed message at a real receiver."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest
from standardwebhooks import WebhookVerificationError

from domain.inference.events import ContentDeleted, WebhookTarget
from domain.webhooks.commands import DeleteEndpoint, RotateSecret, UpdateEndpoint
from domain.webhooks.events import DeliveryAttempted
from domain.webhooks.replay import Window, replay
from domain.webhooks.secrets import secret_context
from tests.support.webhook_engine import ACCOUNT, ORIGIN, WebhookEngine, webhook_engine
from tests.support.webhook_receiver import Reply, WebhookReceiver


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as opened:
        yield opened


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[WebhookEngine]:
    async with webhook_engine(tmp_path) as opened:
        await opened.start()
        yield opened


async def attempts_of(engine: WebhookEngine, delivery_id: str) -> list[DeliveryAttempted]:
    history = await engine.store.read_stream(delivery_id)
    return [r.event for r in history if isinstance(r.event, DeliveryAttempted)]


async def only_delivery(engine: WebhookEngine) -> str:
    (scheduled,) = await engine.scheduled()
    return scheduled.delivery_id


async def test_a_jobs_own_url_gets_the_job_and_its_answer(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    await engine.open_account()
    ended = await engine.complete_job(WebhookTarget(url=receiver.url), b'{"choices": [1]}')
    (received,) = await receiver.count(1)
    message = received.message
    assert (message["id"], message["object"]) == (ended.event_id, "event")
    assert message["type"] == "job.completed"
    assert message["created_at"] == ended.recorded_at // 1000
    assert message["data"]["status"] == "succeeded"
    assert message["data"]["metadata"] == {"order": "7"}
    assert message["data"]["result"] == {"choices": [1]}


async def test_a_jobs_own_url_is_signed_with_the_accounts_default_secret(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    secret = await engine.open_account()
    await engine.complete_job(WebhookTarget(url=receiver.url))
    (received,) = await receiver.count(1)
    assert received.is_signed_with(secret)


async def test_the_openai_client_unwraps_our_messages(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    _, secret = await engine.create_endpoint(receiver.url, payload="thin")
    ended = await engine.complete_job()
    (received,) = await receiver.count(1)
    with openai.OpenAI(api_key="x", webhook_secret=secret) as client:
        event = client.webhooks.unwrap(received.body, received.headers)
    assert event.id == ended.event_id


async def test_a_thin_endpoint_gets_the_jobs_id_alone(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    await engine.create_endpoint(receiver.url, payload="thin")
    ended = await engine.complete_job()
    (received,) = await receiver.count(1)
    assert received.message["data"] == {"id": ended.stream}


async def test_an_answer_of_more_than_64_kib_is_left_to_its_url(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    await engine.create_endpoint(receiver.url)
    ended = await engine.complete_job(answer=json.dumps("x" * 65_536).encode())
    (received,) = await receiver.count(1)
    assert "result" not in received.message["data"]
    assert received.message["data"]["result_url"] == f"/v1/jobs/{ended.stream}/result"


async def test_an_erased_answer_is_left_out(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    await engine.complete_job()
    await engine.scheduled()
    await engine.payloads.destroy(ACCOUNT)
    endpoint_id, _ = await engine.create_endpoint(receiver.url)
    listed = engine.directory.get(ACCOUNT, endpoint_id)
    assert listed is not None
    now = engine.ports.clock.now()
    await replay(engine.store, listed.endpoint, Window(now - 60_000, now), now, ORIGIN)
    (received,) = await receiver.count(1)
    assert received.message["data"]["status"] == "succeeded"
    assert "result" not in received.message["data"]


async def test_an_answer_that_was_deleted_is_left_out(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    ended = await engine.complete_job()
    await engine.record(ended.stream, ContentDeleted(job_id=ended.stream), version=ended.version)
    await engine.scheduled()
    endpoint_id, _ = await engine.create_endpoint(receiver.url)
    listed = engine.directory.get(ACCOUNT, endpoint_id)
    assert listed is not None
    now = engine.ports.clock.now()
    await replay(engine.store, listed.endpoint, Window(now - 60_000, now), now, ORIGIN)
    (received,) = await receiver.count(1)
    assert received.message["data"]["status"] == "succeeded"
    assert "result" not in received.message["data"]


async def test_the_event_filter_of_a_jobs_own_url_is_kept(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    await engine.open_account()
    wanted = WebhookTarget(url=receiver.url, events=("job.cancelled",))
    await engine.complete_job(wanted)
    cancelled = await engine.cancel_job(wanted)
    (received,) = await receiver.count(1)
    assert [scheduled.job_id for scheduled in await engine.scheduled()] == [cancelled.stream]
    assert received.message["type"] == "job.cancelled"


async def test_a_failed_attempt_is_made_again_with_the_same_id_and_body(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    receiver.answer(Reply(500), Reply(503), Reply(200))
    await engine.create_endpoint(receiver.url)
    await engine.complete_job()
    received = await receiver.count(3)
    delivery = await engine.ended(await only_delivery(engine))
    assert (delivery.status, delivery.attempts) == ("delivered", 3)
    assert len({(r.message_id, r.body) for r in received}) == 1


async def test_every_attempt_is_recorded_with_its_answer(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    receiver.answer(Reply(500), Reply(200))
    await engine.create_endpoint(receiver.url)
    await engine.complete_job()
    delivery_id = await only_delivery(engine)
    await engine.ended(delivery_id)
    attempts = await attempts_of(engine, delivery_id)
    assert [(a.attempt, a.status_code, a.result) for a in attempts] == [
        (1, 500, "retry"),
        (2, 200, "delivered"),
    ]


async def test_a_retry_after_is_waited_for(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    receiver.answer(Reply(429, {"retry-after": "3600"}))
    await engine.create_endpoint(receiver.url)
    await engine.complete_job()
    await receiver.count(1)
    delivery_id = await only_delivery(engine)
    async with asyncio.timeout(5):
        while not (attempts := await attempts_of(engine, delivery_id)):
            await asyncio.sleep(0.01)
    due_at = attempts[0].next_attempt_at
    assert due_at == attempts[0].at + attempts[0].duration_ms + 3_600_000


async def test_a_redirect_is_a_failure_and_is_not_followed(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    receiver.answer(Reply(302, {"location": "/elsewhere"}))
    await engine.create_endpoint(receiver.url)
    await engine.complete_job()
    received = await receiver.count(2)
    assert {r.path for r in received} == {"/hook"}


async def test_a_delivery_fails_when_the_schedule_is_exhausted(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    receiver.always(Reply(500))
    await engine.create_endpoint(receiver.url)
    await engine.complete_job()
    delivery = await engine.ended(await only_delivery(engine))
    assert (delivery.status, delivery.attempts) == ("failed", 4)


async def test_an_ended_delivery_leaves_the_work_queue(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    await engine.create_endpoint(receiver.url)
    await engine.complete_job()
    await engine.ended(await only_delivery(engine))
    assert await engine.store.backlog("webhooks") == []


async def test_410_disables_the_endpoint(engine: WebhookEngine, receiver: WebhookReceiver) -> None:
    receiver.answer(Reply(410))
    endpoint_id, _ = await engine.create_endpoint(receiver.url)
    await engine.complete_job()
    assert (await engine.ended(await only_delivery(engine))).status == "disabled"
    async with asyncio.timeout(5):
        while len(await engine.store.read_stream(endpoint_id)) < 2:
            await asyncio.sleep(0.01)
    await engine.follower.reached(engine.store.log.head())
    assert engine.directory.receiving(ACCOUNT, 10**9) == ()


async def test_410_at_a_jobs_own_url_ends_that_delivery(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    await engine.open_account()
    receiver.answer(Reply(410))
    await engine.complete_job(WebhookTarget(url=receiver.url))
    assert (await engine.ended(await only_delivery(engine))).status == "disabled"


async def test_what_waits_for_a_deleted_endpoint_is_not_sent(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    receiver.answer(Reply(500, delay=0.1))
    endpoint_id, _ = await engine.create_endpoint(receiver.url)
    await engine.complete_job()
    await receiver.count(1)
    await engine.change(endpoint_id, DeleteEndpoint())
    assert (await engine.ended(await only_delivery(engine))).status == "disabled"
    assert len(receiver.received) == 1


async def test_a_changed_url_counts_for_the_next_attempt(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    endpoint_id, _ = await engine.create_endpoint("http://127.0.0.1:1/")
    await engine.change(endpoint_id, UpdateEndpoint(url=receiver.url))
    await engine.complete_job()
    assert await receiver.count(1)


async def test_during_a_rotation_both_secrets_verify(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    endpoint_id, old = await engine.create_endpoint(receiver.url)
    new = engine.secrets.new_webhook_secret()
    sealed = await engine.payloads.seal(ACCOUNT, secret_context(endpoint_id), new.encode())
    await engine.change(endpoint_id, RotateSecret(sealed, new[-4:], old_valid_until=2**60))
    await engine.complete_job()
    (received,) = await receiver.count(1)
    assert received.is_signed_with(old)
    assert received.is_signed_with(new)


async def test_after_a_rotation_the_old_secret_does_not_verify(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    endpoint_id, old = await engine.create_endpoint(receiver.url)
    new = engine.secrets.new_webhook_secret()
    sealed = await engine.payloads.seal(ACCOUNT, secret_context(endpoint_id), new.encode())
    await engine.change(endpoint_id, RotateSecret(sealed, new[-4:], old_valid_until=0))
    await engine.complete_job()
    (received,) = await receiver.count(1)
    assert received.is_signed_with(new)
    with pytest.raises(WebhookVerificationError):
        received.is_signed_with(old)
