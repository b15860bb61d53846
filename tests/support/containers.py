"""The servers in containers, where a Docker engine answers."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.community.kafka import KafkaContainer
from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.redis import RedisContainer

DEFAULT_ENGINE = "unix:///var/run/docker.sock"
ENGINE_SECONDS = 2


def engine_answers() -> bool:
    if not _engine_listens():
        return False
    try:
        with closing(docker.from_env(timeout=ENGINE_SECONDS)) as engine:
            return bool(engine.ping())
    except (DockerException, OSError):
        return False


@contextmanager
def postgres(settings: Mapping[str, str]) -> Iterator[str]:
    """A PostgreSQL server; yields the address of its maintenance database."""
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    container = PostgresContainer("postgres:18-alpine", driver=None)
    with container.with_command(f"postgres -c max_connections=200 {options}"):
        yield container.get_connection_url()


@contextmanager
def redis() -> Iterator[str]:
    """A Redis server; yields its address."""
    with RedisContainer("redis:8-alpine") as container:
        host, port = container.get_container_host_ip(), container.get_exposed_port(container.port)
        yield f"redis://{host}:{port}/0"


@contextmanager
def kafka() -> Iterator[str]:
    """A Kafka broker that makes no topics by itself; yields where it listens."""
    container = KafkaContainer("confluentinc/cp-kafka:8.1.0").with_kraft()
    with container.with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false"):
        yield container.get_bootstrap_server()


def _engine_listens() -> bool:
    """Whether a connection succeeds; where none does, Docker's client leaves its socket open."""
    address = urlsplit(os.environ.get("DOCKER_HOST", DEFAULT_ENGINE))
    if address.scheme != "unix":
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(address.path) == 0
