"""A cluster as a customer sees it: every node has the same answer, and nothing happens twice."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import openai
import pytest
import pytest_asyncio

from tests.support.client import Account, Client, chat
from tests.support.cluster import Role
from tests.support.cluster_site import Site, running_site
from tests.support.official import openai_client
from tests.support.scripted_provider import answer, silence, stream, words
from tests.support.webhook_receiver import Received

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROLES: tuple[Role, ...] = ("api", "api", "api", "dispatch", "webhooks", "project", "relay")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Site]:
    async with running_site(*ROLES) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def account(site: Site) -> Account:
    site.upstream.default = answer()
    site.receiver.received.clear()
    return await site.account()


async def received_of(site: Site, job_id: str) -> Received:
    """The first message that tells of a job."""
    async with asyncio.timeout(20):
        while True:
            for received in site.receiver.received:
                if received.message["data"]["id"] == job_id:
                    return received
            await site.receiver.count(len(site.receiver.received) + 1, timeout=20)


async def test_a_job_goes_in_at_one_node_is_awaited_at_another_and_read_at_a_third(
    site: Site, account: Account
) -> None:
    site.upstream.script(answer("Forty-two.", delay=0.3))
    first, second, third = site.everywhere(account)
    job_id = await first.submit(chat(metadata={"order": "7"}))
    job = await second.finished(job_id)
    assert (job["status"], job["metadata"]) == ("succeeded", {"order": "7"})
    result = (await third.get(f"/v1/jobs/{job_id}/result")).json
    assert result["choices"][0]["message"]["content"] == "Forty-two."


async def test_every_node_has_the_same_money_and_the_same_lists(
    site: Site, account: Account
) -> None:
    first, *others = nodes = site.everywhere(account)
    job_id = await first.submit()
    await others[0].finished(job_id)
    for path in (
        "/v1/billing/balance",
        f"/v1/billing/charges?job_id={job_id}",
        "/v1/billing/ledger",
        "/v1/jobs",
        f"/v1/jobs/{job_id}",
        f"/v1/jobs/{job_id}/events",
    ):
        answers = await asyncio.gather(*(node.get(path) for node in nodes))
        assert {one.status for one in answers} == {200}
        # What is told of providers meanwhile moves the log on.
        told = [{**one.json, "as_of": None} for one in answers]
        assert told[0] == told[1] == told[2], path
    (charge,) = await others[1].charges(job_id)
    balance = await first.balance()
    assert Decimal(balance["total_usd"]) == 10 - Decimal(charge["amount_usd"])
    assert Decimal(balance["held_usd"]) == 0
    ledger = (await others[0].get("/v1/billing/ledger")).json["data"]
    assert sum(Decimal(entry["amount_usd"]) for entry in ledger) == Decimal(balance["total_usd"])


async def test_the_openai_client_unwraps_the_webhook_of_a_job(site: Site, account: Account) -> None:
    first, second, _ = site.everywhere(account)
    endpoint = {"url": site.receiver.url, "event_types": ["job.completed"]}
    made = await first.post("/v1/webhook_endpoints", endpoint)
    job_id = await second.submit()
    received = await received_of(site, job_id)
    with openai.OpenAI(api_key="x", webhook_secret=made.json["signing_secret"]) as official:
        event = official.webhooks.unwrap(received.body, received.headers)
    assert event.id == received.message_id


async def test_the_webhook_of_a_jobs_own_url_is_signed_and_listed_at_every_node(
    site: Site, account: Account
) -> None:
    secret = (await account.get("/v1/webhook_endpoints/default/secret")).json["key"]
    job_id = await account.submit(chat(webhook={"url": site.receiver.url}))
    received = await received_of(site, job_id)
    assert received.is_signed_with(secret)
    for node in site.everywhere(account):
        listed = (await node.get("/v1/webhook_deliveries")).json["data"]
        assert [one["event_id"] for one in listed] == [received.message_id]


async def test_one_idempotency_key_at_every_node_at_once_is_one_job(
    site: Site, account: Account
) -> None:
    site.upstream.default = answer(delay=0.2)
    calls = len(site.upstream.requests)
    replies = await asyncio.gather(
        *(
            node.post("/v1/jobs", chat(), **{"idempotency-key": "order-7"})
            for node in 5 * site.everywhere(account)
        )
    )
    assert {reply.status for reply in replies} == {202}
    (job_id,) = {reply.json["id"] for reply in replies}
    assert (await account.finished(job_id))["status"] == "succeeded"
    assert len(await account.charges(job_id)) == 1
    assert len((await account.get("/v1/jobs")).json["data"]) == 1
    assert len(site.upstream.requests) == calls + 1


async def test_of_fifty_at_three_nodes_exactly_those_that_the_balance_covers_are_accepted(
    site: Site,
) -> None:
    site.upstream.default = silence()
    poor = await site.account(credit_usd=None)
    hold = Decimal((await poor.post("/v1/jobs", chat())).error["required_usd"])
    account = await site.account(str(hold * 10))
    nodes = site.everywhere(account)
    replies = await asyncio.gather(*(nodes[n % 3].post("/v1/jobs", chat()) for n in range(50)))
    refused = [reply for reply in replies if reply.status != 202]
    assert {(reply.status, reply.error["code"]) for reply in refused} == {
        (402, "insufficient_credits")
    }
    assert len(refused) == 40
    for node in nodes:
        balance = await node.balance()
        assert Decimal(balance["held_usd"]) == hold * 10
        assert Decimal(balance["available_usd"]) == 0
    for reply in replies:
        if reply.status == 202:
            await account.post(f"{reply.headers['location']}/cancel")


async def test_a_key_revoked_at_one_node_stops_at_every_node_within_a_second(
    site: Site, account: Account
) -> None:
    assert max(await site.revocations(account, 5)) < 1


async def test_a_job_that_runs_is_cancelled_at_another_node(site: Site, account: Account) -> None:
    site.upstream.default = answer(delay=30)
    first, second, third = site.everywhere(account)
    job_id = await first.submit()
    await second.running(job_id)
    assert (await third.post(f"/v1/jobs/{job_id}/cancel")).status == 200
    assert (await first.finished(job_id))["status"] == "cancelled"
    assert (await first.balance())["held_usd"] == "0.00"


async def test_the_live_timeline_of_a_job_is_told_at_every_node(
    site: Site, account: Account
) -> None:
    site.upstream.default = answer(delay=0.3)
    first, *others = site.everywhere(account)
    job_id = await first.submit()

    async def told(node: Client) -> list[str]:
        return [frame.event async for frame in node.frames(job_id)]

    one, two = await asyncio.gather(*(told(node) for node in others))
    assert one == two == await first.timeline(job_id)
    assert one[-1] == "inference.job.completed"


async def test_kafka_has_every_event_of_the_store_byte_for_byte(
    site: Site, account: Account
) -> None:
    await account.finished(await account.submit())
    await site.assert_all_published()


async def test_a_response_begun_at_one_node_is_streamed_at_another_as_it_comes(
    site: Site, account: Account
) -> None:
    site.upstream.script(stream(words("One two three four."), gap=0.2))
    first, second, third = site.everywhere(account)
    asked = {"model": "alpha", "input": "Hi.", "background": True, "stream": True}
    async with openai_client(first) as client:
        begun = await client.responses.create(**asked)  # type: ignore[call-overload]
        created = await anext(begun)
        await begun.close()
    response_id = created.response.id
    async with openai_client(second) as client:
        events = []
        rest = await client.responses.retrieve(response_id, stream=True, starting_after=0)
        async for event in rest:
            if event.type == "response.output_text.delta":
                waiting = await client.responses.retrieve(response_id)
                events.append((event.sequence_number, waiting.status))
                break
        await rest.close()
    ((number, status),) = events
    assert status == "in_progress"
    async with openai_client(third) as client:
        again = await client.responses.retrieve(response_id, stream=True, starting_after=number)
        numbers = [event.sequence_number async for event in again]
    assert numbers == list(range(number + 1, number + 1 + len(numbers)))
    assert len(numbers) > 4
