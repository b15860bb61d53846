"""Our webhooks in the hands of the official clients."""

import openai
from openai.types.webhooks import (
    ResponseCancelledWebhookEvent,
    ResponseCompletedWebhookEvent,
    ResponseFailedWebhookEvent,
    ResponseIncompleteWebhookEvent,
)
from standardwebhooks import Webhook

from tests.support.client import Account, chat
from tests.support.engine import RunningEngine
from tests.support.scripted_provider import answer, chunk, error, stream
from tests.support.webhook_receiver import Reply, WebhookReceiver


async def test_standardwebhooks_verifies_the_message_of_a_jobs_own_url(
    account: Account, receiver: WebhookReceiver
) -> None:
    secret = (await account.get("/v1/webhook_endpoints/default/secret")).json["key"]
    job_id = await account.submit(chat(webhook={"url": receiver.url}))
    (received,) = await receiver.count(1, timeout=20)
    message = Webhook(secret).verify(received.body, received.headers)
    assert (message["type"], message["data"]["id"]) == ("job.completed", job_id)


async def test_the_openai_client_unwraps_the_message_of_an_endpoint(
    account: Account, receiver: WebhookReceiver
) -> None:
    endpoint = {"url": receiver.url, "event_types": ["job.completed"]}
    made = await account.post("/v1/webhook_endpoints", endpoint)
    job_id = await account.submit()
    (received,) = await receiver.count(1, timeout=20)
    with openai.OpenAI(api_key="x", webhook_secret=made.json["signing_secret"]) as official:
        event = official.webhooks.unwrap(received.body, received.headers)
    assert event.id == received.message_id
    assert job_id in received.body.decode()


async def test_a_webhook_brings_the_answer_with_it(
    engine: RunningEngine, account: Account, receiver: WebhookReceiver
) -> None:
    engine.upstream.script(answer("Forty-two."))
    job_id = await account.submit(chat(webhook={"url": receiver.url}))
    (received,) = await receiver.count(1, timeout=20)
    job = await account.job(job_id)
    message = received.message["data"]
    assert message["result"]["choices"][0]["message"]["content"] == "Forty-two."
    assert {name: message[name] for name in ("id", "status", "cost_usd", "usage")} == {
        name: job[name] for name in ("id", "status", "cost_usd", "usage")
    }


async def test_a_second_attempt_bears_the_same_id(
    account: Account, receiver: WebhookReceiver
) -> None:
    receiver.answer(Reply(500))
    await account.submit(chat(webhook={"url": receiver.url}))
    first, second = await receiver.count(2, timeout=20)
    assert (first.message_id, first.message) == (second.message_id, second.message)


async def test_a_cancelled_job_is_told_of_too(
    account: Account, receiver: WebhookReceiver, engine: RunningEngine
) -> None:
    engine.upstream.default = answer(delay=30)
    job_id = await account.submit(chat(webhook={"url": receiver.url}))
    await account.running(job_id)
    await account.post(f"/v1/jobs/{job_id}/cancel")
    (received,) = await receiver.count(1, timeout=20)
    assert received.message["type"] == "job.cancelled"


async def response_event(
    account: Account, receiver: WebhookReceiver, *, cancels: bool = False
) -> tuple[str, object]:
    """The id of a response in the background, and what OpenAI's client unwraps of its end."""
    types = [f"response.{end}" for end in ("completed", "failed", "cancelled", "incomplete")]
    made = await account.post("/v1/webhook_endpoints", {"url": receiver.url, "event_types": types})
    asked = {"model": "alpha", "input": "Hi.", "background": True}
    response_id = (await account.post("/v1/responses", asked)).json["id"]
    if cancels:
        await account.post(f"/v1/responses/{response_id}/cancel")
    (received,) = await receiver.count(1, timeout=20)
    with openai.OpenAI(api_key="x", webhook_secret=made.json["signing_secret"]) as official:
        return response_id, official.webhooks.unwrap(received.body, received.headers)


async def test_the_openai_client_unwraps_the_end_of_a_response(
    account: Account, receiver: WebhookReceiver
) -> None:
    response_id, event = await response_event(account, receiver)
    assert isinstance(event, ResponseCompletedWebhookEvent)
    assert (event.object, event.data.id) == ("event", response_id)


async def test_a_response_that_was_cut_short_is_told_of_as_incomplete(
    account: Account, receiver: WebhookReceiver, engine: RunningEngine
) -> None:
    engine.upstream.default = stream([chunk({"content": "Hel"}), chunk({}, "length")])
    _, event = await response_event(account, receiver)
    assert isinstance(event, ResponseIncompleteWebhookEvent)


async def test_a_response_that_failed_is_told_of(
    account: Account, receiver: WebhookReceiver, engine: RunningEngine
) -> None:
    engine.upstream.default = error(400)
    _, event = await response_event(account, receiver)
    assert isinstance(event, ResponseFailedWebhookEvent)


async def test_a_response_that_was_cancelled_is_told_of(
    account: Account, receiver: WebhookReceiver, engine: RunningEngine
) -> None:
    engine.upstream.default = answer(delay=30)
    _, event = await response_event(account, receiver, cancels=True)
    assert isinstance(event, ResponseCancelledWebhookEvent)


async def test_whoever_asked_for_jobs_is_told_of_a_response_as_a_job(
    account: Account, receiver: WebhookReceiver
) -> None:
    await account.post("/v1/webhook_endpoints", {"url": receiver.url, "event_types": ["*"]})
    asked = {"model": "alpha", "input": "Hi.", "background": True}
    response_id = (await account.post("/v1/responses", asked)).json["id"]
    (received,) = await receiver.count(1, timeout=20)
    assert received.message["type"] == "job.completed"
    assert received.message["data"]["result"]["id"] == response_id
