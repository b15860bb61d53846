"""Finds real servers for the tests: by address, in Docker, or as local processes.

Where there is none, a test that needs it is skipped aloud, and fails when `CI` is set.
"""

import functools
import importlib
import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import NoReturn
from urllib.parse import urlsplit

import psycopg
import pytest
from kafka import KafkaAdminClient
from redis import Redis

from infra.local.jars import JarsMissing, fetched_jars
from infra.local.services import LocalKafka, LocalPostgres, LocalRedis, temporary_folder

POSTGRES_VARIABLE = "GATEWAYZ_TEST_POSTGRES_URL"
KAFKA_VARIABLE = "GATEWAYZ_TEST_KAFKA"
REDIS_VARIABLE = "GATEWAYZ_TEST_REDIS_URL"
FOR_WANT_OF = "for want of "
# A test that needs durability starts a server of its own.
FAST_POSTGRES = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Server:
    """A server that somebody runs; `url` is PostgreSQL's maintenance database, or Redis' own."""

    url: str


@dataclass(frozen=True)
class Broker:
    """A Kafka that somebody runs."""

    bootstrap_servers: str


class Topics:
    """The topics of the session's broker, once there is one: each test drops its own."""

    def __init__(self) -> None:
        self.broker: Broker | None = None
        self._admin: KafkaAdminClient | None = None

    def drop(self, prefix: str) -> None:
        if self.broker is None:
            return
        if self._admin is None:
            self._admin = KafkaAdminClient(bootstrap_servers=self.broker.bootstrap_servers)
        if topics := [name for name in self._admin.list_topics() if name.startswith(prefix)]:
            self._admin.delete_topics(topics, raise_errors=False)

    def close(self) -> None:
        if self._admin is not None:
            self._admin.close()


def missing(service: str, reason: str) -> NoReturn:
    """Ends a test that needs this service."""
    text = f"{FOR_WANT_OF}{service}: {reason}"
    if os.environ.get("CI"):
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


@functools.cache
def docker_answers() -> bool:
    """Whether there is a Docker engine to run containers in."""
    return bool(_containers().engine_answers())


@contextmanager
def postgres() -> Iterator[Server]:
    """A PostgreSQL server for the whole session, as superuser."""
    if address := os.environ.get(POSTGRES_VARIABLE):
        yield Server(address)
    elif docker_answers():
        with _containers().postgres(FAST_POSTGRES) as url:
            yield Server(url)
    elif reason := LocalPostgres.available():
        missing("postgres", reason)
    else:
        with (
            temporary_folder() as folder,
            LocalPostgres(folder / "postgres", settings=FAST_POSTGRES) as server,
        ):
            yield Server(server.url)


@contextmanager
def redis() -> Iterator[Server]:
    """A Redis server for the whole session."""
    if address := os.environ.get(REDIS_VARIABLE):
        yield Server(address)
    elif docker_answers():
        with _containers().redis() as url:
            yield Server(url)
    elif reason := LocalRedis.available():
        missing("redis", reason)
    else:
        with temporary_folder() as folder, LocalRedis(folder / "redis") as server:
            yield Server(server.url)


@contextmanager
def kafka() -> Iterator[Broker]:
    """A Kafka broker for the whole session."""
    if address := os.environ.get(KAFKA_VARIABLE):
        yield Broker(address)
    elif docker_answers():
        with _containers().kafka() as address:
            yield Broker(address)
    else:
        need_local_kafka()
        with temporary_folder() as folder, LocalKafka(folder / "kafka") as server:
            yield Broker(server.bootstrap_servers)


def need_local_kafka() -> None:
    """Ends a test that starts a broker of its own, where none can run."""
    if reason := LocalKafka.available():
        missing("kafka", reason)
    try:
        fetched_jars()
    except JarsMissing as error:
        missing("kafka", str(error))


@contextmanager
def fresh_database(server: Server, template: str = "template0") -> Iterator[str]:
    """The address of a copy of a database, an empty one, that lives as long as the context."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server.url, autocommit=True) as maintenance:
        # The files of an empty database are copied faster than logged.
        maintenance.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield urlsplit(server.url)._replace(path=f"/{name}").geturl()
        finally:
            maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")


def emptied(server: Server) -> str:
    """The address of a Redis database with nothing in it."""
    with closing(Redis.from_url(server.url)) as client:
        client.flushdb()
    return server.url


def wanted_by(report: pytest.TestReport) -> str | None:
    """The service for want of which a test was skipped."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    _, found, rest = reason.partition(FOR_WANT_OF)
    return rest.partition(":")[0] if found else None


def _containers() -> ModuleType:
    # Most sessions start no container, and the libraries for it take half a second.
    return importlib.import_module("tests.support.containers")
