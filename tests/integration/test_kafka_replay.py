"""Replays and exports of a cluster's log, from Kafka and from the event store."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from adapters.kafka.admin import TopicLayout, ensure_topics
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.relay import Relay
from adapters.kafka.topics import Topics, partition_of
from adapters.postgres.relay import PostgresRelayProgress, PostgresRelaySource
from infra.cli.root import app
from tests.support.histories import STARTED_AT
from tests.support.relay import PATIENCE_SECONDS, MemoryLog, publish_all
from tests.support.services import Broker
from tests.support.store_places import opened_postgres_store
from tests.support.stores import accepted, cancelled, credited, job_id, write

PARTITIONS = 3
Command = Callable[..., Any]


@pytest.fixture
def connection(kafka_server: Broker) -> KafkaConnection:
    return KafkaConnection(kafka_server.bootstrap_servers)


@pytest.fixture
def topics(connection: KafkaConnection, topic_prefix: str) -> Topics:
    topics = Topics(topic_prefix)
    ensure_topics(connection, topics, TopicLayout(PARTITIONS, 1))
    return topics


def configured(folder: Path, servers: str, prefix: str, postgres: str) -> Path:
    """The configuration of a cluster."""
    path = folder / "gatewayz.yaml"
    kafka = {"bootstrap_servers": servers, "topic_prefix": prefix}
    path.write_text(
        yaml.safe_dump(
            {
                "profile": "cluster",
                "master_key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                "postgres": {"url": postgres},
                "kafka": kafka,
            }
        )
    )
    return path


@pytest.fixture
def config(tmp_path: Path, connection: KafkaConnection, topics: Topics) -> Path:
    """Of a cluster whose PostgreSQL is away."""
    postgres = "postgresql://nobody@127.0.0.1:1/nothing"
    return configured(tmp_path, connection.bootstrap_servers, topics.prefix, postgres)


async def invoke(config: Path, *arguments: str) -> Result:
    command = ["log", *arguments, "--config", str(config)]
    return await asyncio.to_thread(CliRunner().invoke, app, command)


async def replayed(config: Path, *arguments: str) -> list[dict[str, Any]]:
    done = await invoke(config, "replay", *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


async def positions(config: Path, *arguments: str) -> list[int]:
    return [event["position"] for event in await replayed(config, *arguments)]


def time_of(position: int, milliseconds: int = 0) -> str:
    """When the event at this position of a log in memory was recorded."""
    at = STARTED_AT + position * 1_000 + milliseconds
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")


@pytest.fixture
async def log(connection: KafkaConnection, topics: Topics) -> MemoryLog:
    """Forty events on Kafka, a second apart."""
    log = MemoryLog()
    await log.append_jobs(20)
    await publish_all(connection, topics, log)
    return log


async def test_a_replay_goes_from_one_position_to_another(config: Path, log: MemoryLog) -> None:
    assert await positions(config) == list(range(1, 41))
    assert await positions(config, "--from", "11", "--to", "20") == list(range(11, 21))
    assert await positions(config, "--from", "39") == [39, 40]
    assert await positions(config, "--to", "2") == [1, 2]
    assert await positions(config, "--from", "41") == []
    assert await positions(config, "--from", "20", "--to", "10") == []


async def test_a_replay_goes_from_one_time_to_another(config: Path, log: MemoryLog) -> None:
    assert await positions(config, "--from", time_of(11), "--to", time_of(21)) == (
        list(range(11, 21))
    )
    assert await positions(config, "--from", time_of(38, 1)) == [39, 40]
    assert await positions(config, "--to", time_of(2, 1)) == [1, 2]
    assert await positions(config, "--from", time_of(41)) == []
    assert await positions(config, "--from", "2001-01-01", "--to", "3") == [1, 2, 3]
    assert await positions(config, "--to", time_of(3).replace("+00:00", "Z")) == [1, 2]


async def test_a_replay_shows_what_was_recorded(config: Path, log: MemoryLog) -> None:
    (event,) = await replayed(config, "--to", "1")
    (row, *_) = log.stored
    assert event == {
        "position": 1,
        "stream": row.stream,
        "version": 1,
        "type": "inference.job.accepted@1",
        "envelope": json.loads(row.state),
    }
    done = await invoke(config, "replay", "--to", "1")
    assert "inference.job.accepted@1" in done.stdout
    assert row.stream in done.stdout


async def test_one_partition_is_shown_from_an_offset(config: Path, log: MemoryLog) -> None:
    number = partition_of(job_id(1), PARTITIONS)
    expected = [r.position for r in log.stored if partition_of(r.stream, PARTITIONS) == number]
    name = f"inference.standard-{number}"
    shown = await replayed(config, "--topic", name, "--offset", "1")
    assert [(one["offset"], one["position"]) for one in shown] == (list(enumerate(expected))[1:])
    for wrong in ("inference.standard-99", "billing", "nothing-0"):
        done = await invoke(config, "replay", "--topic", wrong)
        assert (done.exit_code, done.stdout) == (2, "")
        assert wrong.partition("-")[0] in done.stderr


async def test_what_cannot_be_read_is_shown_as_such(
    config: Path, connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append_row("acct_1", "access.account.opened@1", b"\xff no JSON")
    await publish_all(connection, topics, log)
    (event,) = await replayed(config)
    assert event["unreadable"] == "\\xff no JSON"
    assert "unreadable" in (await invoke(config, "replay")).stdout


@pytest.mark.parametrize("point", ["yesterday", "-5", "1.5"])
async def test_what_is_no_point_of_the_log_is_refused(
    config: Path, log: MemoryLog, point: str
) -> None:
    done = await invoke(config, "replay", f"--from={point}")
    assert done.exit_code == 2
    assert "neither a position nor a time" in done.stderr


async def test_a_part_is_exported_and_verified(
    config: Path, log: MemoryLog, tmp_path: Path
) -> None:
    file = tmp_path / "part.jsonl"
    wanted = ("--from", "11", "--to", time_of(31))
    done = await invoke(config, "export", *wanted, "--output", str(file), "--json")
    assert (done.exit_code, json.loads(done.stdout)["events"]) == (0, 20)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines[0]["after"] == 10
    assert [line["position"] for line in lines[1:-1]] == list(range(11, 31))
    verified = CliRunner().invoke(app, ["log", "verify", str(file), "--json"])
    assert (verified.exit_code, json.loads(verified.stdout)["position"]) == (0, 30)
    moved = file.read_bytes().replace(b'"after":10', b'"after":11')
    file.write_bytes(moved)
    assert CliRunner().invoke(app, ["log", "verify", str(file)]).exit_code != 0


async def test_kafka_and_the_event_store_give_the_same_export(
    tmp_path: Path, connection: KafkaConnection, topics: Topics, store_url: str
) -> None:
    config = configured(tmp_path, connection.bootstrap_servers, topics.prefix, store_url)
    async with opened_postgres_store(store_url) as store:
        await write(store, "crd_1", credited("crd_1", 100))
        for number in range(20):
            await write(store, job_id(number), accepted(number, hold=1), cancelled(number))
        head = await store.head()
        progress = PostgresRelayProgress(store)
        relay = Relay(connection, topics, PostgresRelaySource(store), progress)
        running = asyncio.create_task(relay.run())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await progress.load() < head:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait({running})
    exports = []
    for source in ("kafka", "store"):
        file = tmp_path / source
        done = await invoke(config, "export", "--source", source, "--output", str(file))
        assert done.exit_code == 0, done.stderr
        exports.append(file.read_bytes())
    assert exports[0] == exports[1]
    assert exports[0].count(b"\n") == head + 2
    for source in ("kafka", "store"):
        assert await positions(config, "--source", source, "--from", "41") == [41]
    tail = await invoke(config, "tail", "-n", "2", "--json")
    assert [json.loads(line)["position"] for line in tail.stdout.splitlines()] == [40, 41]


async def test_a_kafka_that_is_away_is_said_so(tmp_path: Path) -> None:
    config = configured(tmp_path, "127.0.0.1:1", "t", "postgresql://nobody@127.0.0.1:1/x")
    done = await invoke(config, "replay")
    assert done.exit_code == 2
    assert "Kafka" in done.stderr
