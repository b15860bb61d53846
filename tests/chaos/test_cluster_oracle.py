"""The oracle of a cluster sees what it is there to see."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import psycopg
import pytest

from infra.cluster.kafka import connection_of, topics_of
from infra.cluster.storage import database_url
from infra.offline import open_log
from infra.settings import Settings
from tests.chaos.cluster import SETTINGS, drained, ended
from tests.chaos.cluster_oracle import check_webhooks, inspect_cluster
from tests.chaos.cluster_world import MoodyReceiver
from tests.chaos.oracle import Verdict
from tests.support.client import chat, client
from tests.support.cluster import Role, need_services, running_cluster
from tests.support.engine import ADMIN_KEY
from tests.support.relay import raw_producer, send_rows
from tests.support.scripted_provider import ScriptedProvider

NODES: tuple[Role, ...] = ("api", "work", "project", "relay")
JOBS = 3
IN_OTHER_STREAM = "UPDATE stored_events SET originator_id = {} WHERE notification_id = 5"
ADDED = (
    "INSERT INTO stored_events SELECT 'more' || n, 1, topic, state, notification_id + n "
    "FROM stored_events, generate_series(1, 2) AS n "
    "WHERE notification_id = (SELECT max(notification_id) FROM stored_events)"
)
# What is done to PostgreSQL, how it is undone, and the check that must see it.
HARM = {
    "events that are others in Kafka than in PostgreSQL": (
        IN_OTHER_STREAM.format("originator_id || '.'"),
        IN_OTHER_STREAM.format("rtrim(originator_id, '.')"),
    ),
    "events that Kafka's reader gives": (
        ADDED,
        "DELETE FROM stored_events WHERE originator_id LIKE 'more%'",
    ),
    "wallet (allowance, purchased, held)": (
        "UPDATE wallets SET held = held + 1",
        "UPDATE wallets SET held = held - 1",
    ),
    "dead letters": (
        "INSERT INTO dead_letters VALUES ('webhooks', 1, 'x', 'error', '', 0)",
        "DELETE FROM dead_letters",
    ),
}


@asynccontextmanager
async def some_jobs_later(
    folder: Path, receiver: MoodyReceiver
) -> AsyncIterator[tuple[Settings, Verdict]]:
    """A cluster on which a few jobs have run, with nodes that have ended; its unharmed verdict."""
    async with (
        ScriptedProvider() as upstream,
        running_cluster(folder, upstream.base_url, NODES, **SETTINGS) as cluster,
        client(cluster.nodes["api1"].base_url, ADMIN_KEY) as admin,
    ):
        owner = await admin.account()
        for _ in range(JOBS):
            await owner.submit(chat(webhook={"url": f"{receiver.url}/own"}))
        settings, verdict = cluster.settings(), Verdict()
        for roles in (("api", "work"), ("project", "relay")):
            await drained(settings, receiver, verdict)
            assert await ended(cluster.of(*roles)) == []
        assert verdict.violations == []
        yield settings, (await inspect_cluster(settings))[0]


async def seen(settings: Settings, what: str) -> bool:
    """Whether the oracle finds this wrong."""
    verdict, _ = await inspect_cluster(settings)
    return any(violation.startswith(f"{what}: ") for violation in verdict.violations)


async def harm_kafka(settings: Settings) -> None:
    """Puts one event into a partition that is not its own, and two behind each other's place."""
    with open_log(settings) as log:
        rows = log.rows(0, 1_000)
    topic = topics_of(settings).name("catalog")
    async with raw_producer(connection_of(settings)) as producer:
        for partition in range(settings.kafka.partitions):
            await send_rows(producer, topic, partition, rows[-1:])
            await send_rows(producer, topic, partition, rows[:1])


@pytest.mark.timeout(300)
async def test_harm_of_every_kind_is_seen(server_folder: Path) -> None:
    need_services()
    async with (
        MoodyReceiver(Random(1)) as receiver,  # noqa: S311 - replayable
        some_jobs_later(server_folder, receiver) as (settings, unharmed),
    ):
        assert unharmed.violations == []
        unseen = []
        with psycopg.connect(database_url(settings), autocommit=True) as connection:
            for what, (harm, undone) in HARM.items():
                connection.execute(harm.encode())
                unseen += [] if await seen(settings, what) else [what]
                connection.execute(undone.encode())
        assert unseen == []
        _, history = await inspect_cluster(settings)
        told, receiver.received[:] = [*receiver.received], receiver.received[:-1]
        verdict = Verdict()
        check_webhooks(history, receiver, {}, verdict)
        assert verdict.figures["webhooks that never came"] == 1, told
        await harm_kafka(settings)
        assert await seen(settings, "records in a partition that is not theirs")
        assert await seen(settings, "first records behind later ones")
