"""The servers that tests and developers run without Docker."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from infra.local.services import LocalPostgres, LocalRedis, LocalServer, ServerDidNotStart
from tests.support.services import missing

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


def test_a_server_that_cannot_start_says_why(redis: LocalRedis) -> None:
    broken = LocalRedis(redis.data, settings={"no-such-setting": "1"})
    with pytest.raises(ServerDidNotStart, match="no-such-setting"):
        broken.start()
    assert not broken.is_running


def test_every_test_has_a_database_of_its_own(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.info.dbname.startswith("test_")
        connection.execute("CREATE TABLE mine (number int)")


def test_a_redis_of_a_test_is_empty(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text()
