"""The read models of a cluster, rebuilt from Kafka or the store and proved beside nodes at work."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from typer.testing import Result

from infra.cluster.offline import published_log, shared_read_models
from tests.e2e.test_cli import invoke
from tests.support.client import Account, chat
from tests.support.cluster import Role
from tests.support.cluster_site import Site, running_site, until
from tests.support.read_models import all_rows, opened
from workers.projector import rebuild

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROLES: tuple[Role, ...] = ("api", "work", "project", "relay")
NAMES = {"jobs", "balances", "ledger", "webhook_deliveries", "provider_health"}
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'read_model%'"
# What has rows only while something is held or wrong.
OFTEN_EMPTY = {"holds", "provider_breakers", "provider_incidents"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Site]:
    async with running_site(*ROLES) as opened_site:
        account = await opened_site.account()
        hook = {"url": opened_site.receiver.url}
        jobs = [await account.submit(chat(webhook=hook, metadata={"n": "1"})) for _ in range(5)]
        await asyncio.gather(*(account.finished(job_id) for job_id in jobs))
        await opened_site.receiver.count(5, timeout=20)
        yield opened_site


@pytest_asyncio.fixture(loop_scope="module")
async def account(site: Site) -> Account:
    return await site.account()


async def command(site: Site, *arguments: str) -> Result:
    """A command beside the nodes, with their configuration."""
    return await invoke(*arguments, "--config", str(site.cluster.config_path))


async def generations(site: Site) -> dict[str, dict[str, Any]]:
    """What `projections status` shows of each read model."""
    shown = await command(site, "projections", "status", "--json")
    assert shown.exit_code == 0, shown.stderr
    return {row["name"]: row for row in map(json.loads, shown.stdout.splitlines())}


async def proved(site: Site, *arguments: str) -> Result:
    return await command(site, "projections", "verify", *arguments)


async def rows_of(site: Site) -> dict[str, list[dict[str, Any]]]:
    """All rows of the live read models, once they have everything."""
    await site.drained()
    read_models = shared_read_models(site.cluster.settings())
    try:
        return await asyncio.to_thread(all_rows, read_models)
    finally:
        await read_models.close()


def execute(site: Site, *statements: str) -> list[Any]:
    """Looks into the database, or changes it, behind the nodes' backs."""
    with psycopg.connect(site.cluster.postgres.url, autocommit=True) as connection:
        cursors = [connection.execute(statement.encode()) for statement in statements]
        return [row[0] for row in cursors[-1].fetchall()] if cursors[-1].description else []


async def test_the_status_names_every_read_model(site: Site) -> None:
    shown = await generations(site)
    assert set(shown) == NAMES
    assert {row["state"] for row in shown.values()} == {"active"}


async def test_the_tail_of_the_log_is_the_stores(site: Site) -> None:
    shown = await command(site, "log", "tail", "--json", "-n", "1000")
    events = [json.loads(line) for line in shown.stdout.splitlines()]
    stored = await site.stored()
    assert [(one["position"], one["type"]) for one in events] == [
        (row.position, row.topic) for row in stored[: len(events)]
    ]


@pytest.mark.parametrize("source", ["kafka", "store"])
async def test_read_models_are_rebuilt_and_proved_while_jobs_run(
    site: Site, account: Account, source: str
) -> None:
    before = (await generations(site))["jobs"]["number"]

    async def load() -> None:
        job_ids = [await account.submit() for _ in range(20)]
        await asyncio.gather(*(account.finished(job_id) for job_id in job_ids))

    submitting = asyncio.create_task(load())
    rebuilt = await command(site, "projections", "rebuild", "jobs", "--from", source)
    assert rebuilt.exit_code == 0, rebuilt.stderr
    verified = await proved(site, "--from", source)
    assert verified.exit_code == 0, verified.stdout + verified.stderr
    await submitting
    assert (await generations(site))["jobs"]["number"] == before + 1
    assert len((await account.get("/v1/jobs?limit=100")).json["data"]) == 20


async def test_read_models_rebuilt_from_kafka_alone_equal_the_live_ones_row_for_row(
    site: Site,
) -> None:
    execute(site, "CREATE DATABASE elsewhere")  # which has no event store
    settings = site.cluster.settings()
    elsewhere = site.cluster.postgres.url.replace("/postgres", "/elsewhere")
    async with opened(elsewhere) as rebuilt, published_log(settings) as kafka:
        live = await settled_rows(site)
        assert {name for name, rows in live.items() if rows} >= set(live) - OFTEN_EMPTY
        assert await rebuild(rebuilt, kafka, list(NAMES)) == ()
        assert await asyncio.to_thread(all_rows, rebuilt) == live


async def test_read_models_that_were_dropped_come_back_row_for_row(
    site: Site, account: Account
) -> None:
    live = await rows_of(site)
    node = site.cluster.nodes["project1"]
    node.kill()
    execute(site, *(f"DROP SCHEMA {schema} CASCADE" for schema in execute(site, SCHEMAS)))
    assert (await account.get("/v1/jobs")).status == 503
    job_id = await account.submit()
    assert (await account.finished(job_id))["status"] == "succeeded"
    await node.start()
    await until(lambda: lists_are_back(account))
    again = await rows_of(site)
    for name, rows in live.items():
        if name.startswith("provider_"):  # which the job that ran meanwhile has changed
            continue
        of_others = [row for row in rows if row.get("account_id") != account.account_id]
        assert [row for row in again[name] if row in of_others] == of_others
    assert (await proved(site)).exit_code == 0


async def settled_rows(site: Site) -> dict[str, list[dict[str, Any]]]:
    """The rows once nothing more comes: what attempts say of a provider is told a second later."""
    rows = await rows_of(site)
    while True:
        await asyncio.sleep(1.5)
        before, rows = rows, await rows_of(site)
        if rows == before:
            return rows


async def lists_are_back(account: Account) -> bool:
    return (await account.get("/v1/jobs")).status == 200


async def test_a_changed_row_of_a_read_model_is_named(site: Site) -> None:
    (schema,) = execute(site, f"{SCHEMAS} AND nspname LIKE '%jobs%'")
    change = "UPDATE {}.jobs SET model = {}"
    execute(site, change.format(schema, "'acme/other'"))
    done = await proved(site)
    execute(site, change.format(schema, "'acme/alpha'"))
    assert done.exit_code == 1
    assert "model: 'acme/other', replayed 'acme/alpha'" in done.stdout


async def test_a_wallet_that_is_not_the_ledger_is_named(site: Site, account: Account) -> None:
    change = "UPDATE wallets SET purchased = purchased {} 1 WHERE account_id = '{}'"
    execute(site, change.format("+", account.account_id))
    done = await proved(site, "--json")
    execute(site, change.format("-", account.account_id))
    assert done.exit_code == 1
    assert [one["subject"] for one in json.loads(done.stdout)["violations"]] == [account.account_id]


async def test_without_kafka_the_store_is_replayed_when_asked_and_kafka_goes_on_from_there(
    site: Site, account: Account
) -> None:
    await asyncio.to_thread(site.cluster.kafka.stop)
    try:
        job_ids = [await account.submit() for _ in range(3)]
        for arguments in (("rebuild", "jobs"), ("verify",)):
            refused = await command(site, "projections", *arguments)
            assert refused.exit_code == 2
            assert "Kafka" in refused.stderr
            done = await command(site, "projections", *arguments, "--from", "store")
            assert done.exit_code == 0, done.stdout + done.stderr
        assert len((await account.get("/v1/jobs")).json["data"]) == 3
        shown = await command(site, "projections", "status", "--json")
        assert len(shown.stdout.splitlines()) == len(NAMES)  # nothing half built is left
    finally:
        await asyncio.to_thread(site.cluster.kafka.start)
    await asyncio.gather(*(account.finished(job_id, 40) for job_id in job_ids))
    await site.drained()
    assert (await proved(site)).exit_code == 0
