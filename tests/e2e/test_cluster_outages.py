"""What a cluster goes on with while one of its services is away, and that it comes back whole."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from domain.governance.events import HelperDegraded, HelperRestored
from infra.local.services import LocalServer
from tests.support.client import Account, chat
from tests.support.cluster import Role
from tests.support.cluster_site import Site, running_site, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROLES: tuple[Role, ...] = ("api", "api", "api", "dispatch", "webhooks", "project", "relay")
DEGRADED = "gatewayz_helper_degraded"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Site]:
    async with running_site(*ROLES, postgres={"connect_timeout": 2}) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def account(site: Site) -> Account:
    """An account whose jobs run: all parts of the cluster are at work."""
    account = await site.account()
    await account.finished(await account.submit())
    return account


@asynccontextmanager
async def away(server: LocalServer, *, killed: bool = False) -> AsyncIterator[None]:
    """The server is down in this block."""
    await asyncio.to_thread(server.kill if killed else server.stop)
    try:
        yield
    finally:
        await asyncio.to_thread(server.start)


async def submitted_everywhere(site: Site, account: Account, rounds: int) -> list[str]:
    """Jobs accepted by every API node in turn."""
    return [await node.submit() for _ in range(rounds) for node in site.everywhere(account)]


async def are_charged_once(account: Account, job_ids: list[str]) -> bool:
    """Whether the read models have a charge of each job; never have they two."""
    listed = (await account.get("/v1/billing/charges?limit=100")).json["data"]
    charged = [charge["job_id"] for charge in listed]
    assert len(set(charged)) == len(charged)
    return set(job_ids) <= set(charged)


async def is_whole(site: Site, account: Account, job_ids: list[str]) -> None:
    """All ran, each was charged once, and Kafka has the log in order and without a gap."""
    jobs = await asyncio.gather(*(account.finished(job_id, 40) for job_id in job_ids))
    assert {job["status"] for job in jobs} == {"succeeded"}
    await until(lambda: are_charged_once(account, job_ids))
    await site.assert_all_published()


async def test_every_node_goes_on_without_redis(site: Site, account: Account) -> None:
    degraded, restored = await count(site, HelperDegraded), await count(site, HelperRestored)
    async with away(site.cluster.redis, killed=True):
        await is_whole(site, account, await submitted_everywhere(site, account, 3))
        assert await until(lambda: signals_are(site, "degraded")) < 5
        assert max(await site.revocations(account, 5)) < 1
        assert await count(site, HelperDegraded) == degraded + len(ROLES)
    assert await until(lambda: signals_are(site, "ok")) < 10
    await until(lambda: holds(count(site, HelperRestored), restored + len(ROLES)))
    await is_whole(site, account, await submitted_everywhere(site, account, 1))


async def test_jobs_are_accepted_while_kafka_is_away_and_run_when_it_is_back(
    site: Site, account: Account
) -> None:
    hook = {"url": site.receiver.url}
    async with away(site.cluster.kafka):
        job_ids = await submitted_everywhere(site, account, 3)
        told = [await node.submit(chat(webhook=hook)) for node in site.everywhere(account)]
        for name in site.api_names:
            assert (await site.ready(name))[0] == 200
    await is_whole(site, account, [*job_ids, *told])
    received = await site.receiver.count(3, timeout=20)
    assert {one.message["data"]["id"] for one in received} == set(told)


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
async def test_without_postgresql_work_is_refused_and_with_it_goes_on_by_itself(
    site: Site, account: Account, killed: bool
) -> None:
    pids = {node.name: node.pid for node in site.cluster.nodes.values()}
    async with away(site.cluster.postgres, killed=killed):
        # Nobody asks for anything: every node sees by itself that the store is away.
        assert await until(lambda: all_answer(site, "/ready", 503)) < 10
        assert await all_answer(site, "/health", 200)
        submitting = (node.post("/v1/jobs", chat()) for node in site.everywhere(account))
        for refused in await asyncio.gather(*submitting):
            assert (refused.status, refused.error["code"]) == (503, "service_unavailable")
            assert int(refused.headers["retry-after"]) > 0
    assert await until(lambda: all_answer(site, "/ready", 200)) < 8
    await is_whole(site, account, await submitted_everywhere(site, account, 2))
    assert {node.name: node.pid for node in site.cluster.nodes.values()} == pids
    assert all(node.is_alive for node in site.cluster.nodes.values())


async def all_answer(site: Site, path: str, status: int) -> bool:
    """Whether every node answers this."""
    nodes = (site.at(site.admin, name) for name in site.cluster.nodes)
    return {answer.status for answer in [await node.get(path) for node in nodes]} == {status}


async def signals_are(site: Site, state: str) -> bool:
    """Whether every node is ready, and says this of its signals by the probe and the metric."""
    for name in site.cluster.nodes:
        status, body = await site.ready(name)
        metric = await site.metric(name, DEGRADED, helper="signals")
        if (status, body["checks"]["helpers"]["signals"]) != (200, state):
            return False
        if metric != float(state == "degraded"):
            return False
    return True


async def count(site: Site, kind: type[HelperDegraded] | type[HelperRestored]) -> int:
    """How often the log tells of it for the signals."""
    return sum(one["data"]["helper"] == "signals" for one in await site.events(kind))


async def holds(value: Awaitable[int], expected: int) -> bool:
    return await value == expected
