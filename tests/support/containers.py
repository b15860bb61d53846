"""The servers in containers, where a Docker engine answers."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.redis import RedisContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from infra.local.machine import free_port
from infra.local.services import LocalKafka

DEFAULT_ENGINE = "unix:///var/run/docker.sock"
ENGINE_SECONDS = 2
CONTROLLER_PORT = 9093


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
    """A Kafka broker with the settings of the local one; yields where it listens."""
    # The port is chosen here: a broker tells its clients where it is, and must know it.
    port = free_port()
    container = DockerContainer("apache/kafka:4.1.0")
    address = f"{container.get_docker_client().host()}:{port}"
    container.with_bind_ports(port, port).with_envs(**_kafka_variables(address, port))
    container.waiting_for(LogMessageWaitStrategy("Kafka Server started"))
    with container:
        yield address


def _kafka_variables(address: str, port: int) -> dict[str, str]:
    """The image reads a setting `a.b` from the variable KAFKA_A_B."""
    settings = {
        **LocalKafka.defaults,
        "listeners": f"CLIENTS://:{port},CONTROLLER://:{CONTROLLER_PORT}",
        "advertised.listeners": f"CLIENTS://{address}",
        "controller.quorum.voters": f"1@localhost:{CONTROLLER_PORT}",
    }
    return {f"KAFKA_{name.replace('.', '_').upper()}": value for name, value in settings.items()}


def _engine_listens() -> bool:
    """Whether a connection succeeds; where none does, Docker's client leaves its socket open."""
    address = urlsplit(os.environ.get("DOCKER_HOST", DEFAULT_ENGINE))
    if address.scheme != "unix":
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(address.path) == 0
