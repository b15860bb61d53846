"""Real servers for every test that names them: each starts once a session, at its first use."""

import secrets
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.services import temporary_folder
from tests.support import services
from tests.support.services import Broker, Server, Topics

pytest_plugins = ("tests.support.store_places",)
# Tests that need a broker or a cluster and those that break things run one after another: beside
# others they would only be in each other's way.
ONE_AT_A_TIME = ("kafka", "cluster", "local_services", "first_start_of_nodes", "cli_replay")


@pytest.hookimpl(tryfirst=True)  # before the marks are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks those."""
    for item in items:
        is_chaos = "chaos" in item.path.parts
        if is_chaos or any(word in item.path.name for word in ONE_AT_A_TIME):
            item.add_marker(pytest.mark.broker)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    with services.postgres() as server:
        yield server


@pytest.fixture
def database_url(postgres_server: Server) -> Iterator[str]:
    """A database of the test's own."""
    with services.fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    with services.redis() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: Server) -> str:
    """A Redis database that is empty at the start of the test."""
    return services.emptied(redis_server)


@pytest.fixture(scope="session")
def kafka_topics() -> Topics:
    return Topics()


@pytest.fixture(scope="session")
def kafka_server(kafka_topics: Topics) -> Iterator[Broker]:
    with services.kafka() as broker:
        kafka_topics.broker = broker
        yield broker
        kafka_topics.close()


@pytest.fixture
def topic_prefix(kafka_topics: Topics) -> Iterator[str]:
    """What the names of a test's topics begin with; they are dropped after it."""
    prefix = f"t{secrets.token_hex(3)}"
    yield prefix
    kafka_topics.drop(prefix)


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """A folder for servers of the test's own: unlike `tmp_path`, every OS user can enter it."""
    with temporary_folder() as folder:
        yield folder


def pytest_configure() -> None:
    """Lets a session that is told to end stop its servers, as after Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says aloud how many tests did not run for want of a server."""
    wanted = Counter(
        name
        for report in terminalreporter.stats.get("skipped", [])
        if (name := services.wanted_by(report)) is not None
    )
    if wanted:
        names = ", ".join(sorted(wanted))
        terminalreporter.write_line(
            f"{wanted.total()} tests skipped for want of: {names}", yellow=True, bold=True
        )
