"""Nodes of a cluster that die or are told to end: others go on with what they did."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.access.opening import NewAccount, OpeningPorts, open_account
from domain.access.scopes import ALL_SCOPES
from domain.event import system_origin
from domain.ids import Kind
from infra.cluster.offline import shared_read_models
from infra.storage import NodeStore, Storage, open_storage
from tests.support.client import Account, chat
from tests.support.cluster import NodeProcess, Role
from tests.support.cluster_site import Site, running_site, until
from tests.support.scripted_provider import answer

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROLES: tuple[Role, ...] = ("api", "api", "work", "work", "project", "project", "relay", "relay")
TAKEOVER_SECONDS = 3.0
HISTORY = 600
DISPATCH = {"drain_timeout": 3, "lease_seconds": 3}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Site]:
    async with running_site(*ROLES, dispatch=DISPATCH) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def account(site: Site) -> Account:
    """An account whose jobs run: all parts of the cluster are at work."""
    site.upstream.default = answer()
    account = await site.account()
    await account.finished(await account.submit())
    return account


async def leader_of(site: Site, role: Role) -> NodeProcess:
    """The node that does the duty of this role."""
    duty = {"relay": "relay", "project": "projector"}[role]
    while True:
        for node in site.cluster.of(role):
            if node.is_alive and await site.metric(node.name, "gatewayz_leader", duty=duty) == 1:
                return node
        await asyncio.sleep(0.02)


async def killed(site: Site, role: Role) -> tuple[NodeProcess, float]:
    """Kills the leader of a duty; the node, and how long it was until another led."""
    node = await leader_of(site, role)
    node.kill()

    async def is_taken_over() -> bool:
        return await leader_of(site, role) is not node

    return node, await until(is_taken_over)


async def test_another_relay_takes_over_and_nothing_is_missing_or_out_of_order(
    site: Site, account: Account
) -> None:
    async def load() -> list[str]:
        nodes = site.everywhere(account)
        return [await nodes[n % 2].submit() for n in range(60)]

    submitting = asyncio.create_task(load())
    await asyncio.sleep(0.2)
    node, seconds = await killed(site, "relay")
    assert seconds < TAKEOVER_SECONDS
    jobs = await asyncio.gather(*(account.finished(job_id) for job_id in await submitting))
    assert {job["status"] for job in jobs} == {"succeeded"}
    await site.assert_all_published()
    await node.start()


async def test_another_projector_takes_over_where_the_first_one_was(
    site: Site, account: Account
) -> None:
    generations = await numbers(site)
    node, seconds = await killed(site, "project")
    assert seconds < TAKEOVER_SECONDS
    job_id = await account.submit()
    await account.finished(job_id)
    assert (await account.get("/v1/jobs?limit=1")).json["data"][0]["id"] == job_id
    assert await numbers(site) == generations
    await node.start()


async def test_a_takeover_in_the_middle_of_a_rebuild_leaves_what_is_read_alone(
    site: Site, account: Account
) -> None:
    before = await numbers(site)
    read_models = shared_read_models(site.cluster.settings())
    built = await read_models.build("jobs")
    await read_models.close()
    node, _ = await killed(site, "project")

    async def is_rebuilt() -> bool:
        assert (await account.get("/v1/jobs")).status == 200
        return (await numbers(site))["jobs"] == built.number

    await until(is_rebuilt)
    assert await numbers(site) == {**before, "jobs": built.number}
    await node.start()


async def numbers(site: Site) -> dict[str, int]:
    """The number of the generation of each read model that is read."""
    read_models = shared_read_models(site.cluster.settings())
    try:
        return {g.name: g.number for g in await read_models.generations() if g.is_active}
    finally:
        await read_models.close()


async def test_a_worker_that_is_told_to_end_finishes_what_it_runs(
    site: Site, account: Account
) -> None:
    site.upstream.default = answer(delay=1.5)
    called = len(site.upstream.requests)
    job_ids = [await account.submit() for _ in range(6)]

    async def all_run() -> bool:
        return len(site.upstream.requests) == called + 6

    await until(all_run)
    worker = site.cluster.nodes["work1"]
    assert await worker.stop() == 0
    jobs = await asyncio.gather(*(account.finished(job_id) for job_id in job_ids))
    assert {(job["status"], job["attempts"]) for job in jobs} == {("succeeded", 1)}
    assert len(site.upstream.requests) == called + 6
    site.upstream.default = answer()
    assert (await account.finished(await account.submit()))["status"] == "succeeded"
    await worker.start()


async def test_what_a_worker_cannot_finish_in_time_is_run_by_another(
    site: Site, account: Account
) -> None:
    site.upstream.script(answer(delay=60))
    job_id = await account.submit()
    await account.running(job_id)
    worker = await worker_with_a_job(site)
    assert await worker.stop() == 0
    job = await account.finished(job_id)
    assert job["status"] == "succeeded"
    timeline = await account.timeline(job_id)
    assert timeline.count("inference.job.started") == 2
    assert timeline.count("inference.job.lease_expired") == 1
    await worker.start()


async def worker_with_a_job(site: Site) -> NodeProcess:
    while True:
        for node in site.cluster.of("work"):
            if await site.metric(node.name, "gatewayz_jobs_running") == 1:
                return node
        await asyncio.sleep(0.02)


async def test_an_api_node_that_is_told_to_end_answers_what_it_was_asked(
    site: Site, account: Account
) -> None:
    site.upstream.default = answer(delay=1.0)
    node = site.cluster.nodes["api2"]
    there = site.at(account, "api2")
    job_id = await there.submit()
    waiting = asyncio.create_task(there.get(f"/v1/jobs/{job_id}?wait=20"))
    submitting = asyncio.create_task(there.post("/v1/jobs", chat()))
    await asyncio.sleep(0.05)
    assert await node.stop() == 0
    assert (await waiting).json["status"] == "succeeded"
    accepted = await submitting
    assert accepted.status == 202
    assert (await account.finished(accepted.json["id"]))["status"] == "succeeded"
    await node.start()


async def test_a_node_answers_its_first_request_by_the_whole_history(site: Site) -> None:
    async with open_storage(site.cluster.settings()) as storage:
        keys = await asyncio.gather(*(customer(storage) for _ in range(HISTORY)))
    node = site.cluster.add("api")
    await node.start()
    there = site.at(site.admin, node.name)
    answers = [await there.with_key(key).get("/v1/jobs") for key in (keys[-1], keys[0])]
    assert [one.status for one in answers] == [200, 200]
    assert (await site.ready(node.name))[0] == 200
    assert await node.stop() == 0


async def customer(storage: Storage[NodeStore]) -> str:
    """Opens an account in the store itself; its key."""
    secrets = storage.secrets
    ports = OpeningPorts(storage.store, storage.payloads, secrets, storage.clock, storage.ids)
    account_id, key = storage.ids.new(Kind.ACCOUNT), secrets.new_api_key("live")
    wanted = NewAccount(account_id, "Acme", key, "live", ALL_SCOPES)
    await open_account(ports, wanted, system_origin(account_id, "test", "req_test"))
    return key.secret
