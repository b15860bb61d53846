"""The schema of the PostgreSQL database, brought to this version's on a real server."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from typer.testing import CliRunner, Result

from adapters.postgres.migrating import SchemaProblem, SchemaUnavailable, check, migrate
from infra.cli.common import EXIT_REFUSED, EXIT_UNUSABLE
from infra.cli.root import app
from infra.local.machine import LOOPBACK, free_port

TABLES = {
    "checkpoints",
    "data_keys",
    "dead_letters",
    "gatewayz_schema",
    "holds",
    "inbox",
    "log_head",
    "master_key",
    "relays",
    "stored_events",
    "wallets",
    "work",
}


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        listed = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        )
        return {name for (name,) in listed}


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


def test_a_fresh_database_gets_every_table(database_url: str) -> None:
    migrate(database_url)
    check(database_url)
    assert tables(database_url) == TABLES


def test_the_positions_of_a_fresh_log_start_at_zero(database_url: str) -> None:
    migrate(database_url)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT position FROM log_head").fetchall() == [(0,)]


def test_a_second_migration_changes_nothing(database_url: str) -> None:
    migrate(database_url)
    execute(database_url, "UPDATE log_head SET position = 7")
    migrate(database_url)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT position FROM log_head").fetchall() == [(7,)]


def test_nodes_that_start_at_once_migrate_once(database_url: str) -> None:
    with ThreadPoolExecutor(8) as nodes:
        list(nodes.map(migrate, [database_url] * 8))
    check(database_url)


def test_a_database_without_a_schema_fails_the_check(database_url: str) -> None:
    with pytest.raises(SchemaProblem, match="no schema yet"):
        check(database_url)
    assert tables(database_url) == set()


def test_the_schema_of_a_newer_version_is_refused_and_left_alone(database_url: str) -> None:
    migrate(database_url)
    execute(database_url, "UPDATE gatewayz_schema SET version_num = '9999'")
    execute(database_url, "DROP TABLE relays")
    for step in (migrate, check):
        with pytest.raises(SchemaProblem, match="9999"):
            step(database_url)
    assert tables(database_url) == TABLES - {"relays"}


def test_a_migration_that_fails_leaves_nothing_behind(database_url: str) -> None:
    execute(database_url, "CREATE TABLE dead_letters (of_another_program text)")
    with pytest.raises(SchemaProblem, match="dead_letters"):
        migrate(database_url)
    assert tables(database_url) == {"dead_letters"}


def test_a_server_that_is_away_is_worth_another_try() -> None:
    url = f"postgresql://nobody@{LOOPBACK}:{free_port()}/none"
    with pytest.raises(SchemaUnavailable):
        migrate(url)


@pytest.fixture
def run_migrate(monkeypatch: pytest.MonkeyPatch, database_url: str) -> Callable[..., Result]:
    """`gatewayz migrate` on the test's database."""
    monkeypatch.setenv("GATEWAYZ_POSTGRES__URL", database_url)
    return lambda *options: CliRunner().invoke(app, ["migrate", *options])


def test_the_command_migrates_and_then_finds_nothing_wrong(
    run_migrate: Callable[..., Result],
) -> None:
    assert run_migrate("--check").exit_code == EXIT_REFUSED
    assert run_migrate().exit_code == 0
    assert run_migrate("--check").exit_code == 0


def test_the_command_says_what_is_missing() -> None:
    done = CliRunner().invoke(app, ["migrate"])
    assert done.exit_code == EXIT_UNUSABLE
    assert "postgres.url" in done.stderr
