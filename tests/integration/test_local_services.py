"""The servers that tests and developers run without Docker."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka import KafkaAdminClient
from redis import Redis

from infra.local.machine import wait_until
from infra.local.services import (
    LocalKafka,
    LocalPostgres,
    LocalRedis,
    LocalServer,
    ServerDidNotStart,
    temporary_folder,
)
from tests.support.services import Broker, Topics, missing, need_local_kafka

ENDS = pytest.mark.parametrize("end", [LocalServer.stop, LocalServer.kill])
End = Callable[[LocalServer], None]


@pytest.fixture
def postgres(server_folder: Path) -> LocalPostgres:
    if reason := LocalPostgres.available():
        missing("postgres", reason)
    return LocalPostgres(server_folder / "postgres", settings={"commit_delay": "7"})


@pytest.fixture
def redis(server_folder: Path) -> LocalRedis:
    if reason := LocalRedis.available():
        missing("redis", reason)
    return LocalRedis(server_folder / "redis")


@pytest.fixture(scope="module")
def kafka() -> Iterator[LocalKafka]:
    """Running, and for every test here: it is the slowest to start."""
    need_local_kafka()
    with temporary_folder() as folder, LocalKafka(folder / "kafka") as server:
        yield server


@ENDS
def test_postgres_keeps_its_rows_and_its_address(postgres: LocalPostgres, end: End) -> None:
    with postgres:
        address = postgres.url
        with psycopg.connect(address) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        end(postgres)
        assert not postgres.is_running
        postgres.start()
        with psycopg.connect(address) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (1,)


def test_postgres_has_the_settings_it_was_given(postgres: LocalPostgres) -> None:
    with postgres, psycopg.connect(postgres.url) as connection:
        assert connection.execute("SHOW commit_delay").fetchone() == ("7",)


def test_a_killed_postgres_leaves_no_process(postgres: LocalPostgres) -> None:
    with postgres, psycopg.connect(postgres.url) as connection:
        backend = connection.info.backend_pid
        postgres.kill()
        assert not _runs(backend)


def test_a_stopped_postgres_does_not_wait_for_its_clients(postgres: LocalPostgres) -> None:
    with postgres, psycopg.connect(postgres.url):
        postgres.stop()
        assert not postgres.is_running


@ENDS
def test_redis_keeps_its_keys_and_its_address(redis: LocalRedis, end: End) -> None:
    with redis:
        address = redis.url
        with Redis.from_url(address) as client:
            client.set("kept", "1")
        end(redis)
        assert not redis.is_running
        redis.start()
        with Redis.from_url(address) as client:
            assert client.get("kept") == b"1"


@ENDS
async def test_kafka_keeps_its_records_and_its_address(kafka: LocalKafka, end: End) -> None:
    address, topic = kafka.bootstrap_servers, f"kept.{end.__name__}"
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        admin.create_topics({topic: {"num_partitions": 1}}, wait_for_metadata=True)
    await _produce(address, topic, b"1")
    end(kafka)
    assert not kafka.is_running
    kafka.start()
    assert await _consume(address, topic) == b"1"


def test_a_server_that_cannot_start_says_why(redis: LocalRedis) -> None:
    broken = LocalRedis(redis.data, settings={"no-such-setting": "1"})
    with pytest.raises(ServerDidNotStart, match="no-such-setting"):
        broken.start()
    assert not broken.is_running


def test_a_server_does_not_take_anothers_answer_for_its_own(redis: LocalRedis) -> None:
    other = LocalRedis(redis.data.with_name("other"), redis.port)
    with redis, pytest.raises(ServerDidNotStart, match="taken"):
        other.start()
    assert not other.is_running


def test_every_test_has_a_database_of_its_own(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.info.dbname.startswith("test_")
        connection.execute("CREATE TABLE mine (number int)")


def test_a_redis_of_a_test_is_empty(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_kafka_makes_no_topic_by_itself(kafka: LocalKafka) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)) as admin:
        assert admin.describe_topics(["unknown"])[0]["error_code"] != 0
        assert "unknown" not in admin.list_topics()


def test_the_topics_of_a_test_are_dropped(kafka: LocalKafka) -> None:
    topics, address = Topics(), kafka.bootstrap_servers
    topics.broker = Broker(address)
    with closing(topics), closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        admin.create_topics({"t1.mine": {}, "t2.others": {}}, wait_for_metadata=True)
        topics.drop("t1")
        assert wait_until(lambda: "t1.mine" not in admin.list_topics(), 5)
        assert "t2.others" in admin.list_topics()


async def _produce(address: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        await producer.send_and_wait(topic, value)


async def _consume(address: str, topic: str) -> bytes | None:
    """The first record of the topic."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest")
    async with consumer:
        record = await asyncio.wait_for(consumer.getone(), 10)
        value: bytes | None = record.value
        return value


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text()
