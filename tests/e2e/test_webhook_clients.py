"""Our webhooks in the hands of the official clients."""

import openai
from standardwebhooks import Webhook

from tests.support.client import Account, chat
from tests.support.engine import RunningEngine
from tests.support.scripted_provider import answer
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
