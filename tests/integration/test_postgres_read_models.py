"""The read models on PostgreSQL where it is unlike SQLite: connections, names, texts, numbers."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import text

from adapters.postgres.migrating import check, migrate
from adapters.sql.engine import open_postgres
from adapters.sql.read_models import SqlReadModels
from adapters.sql.snapshot import snapshot
from adapters.sql.verify import verify
from domain.inference.events import CancelRequested
from domain.money import MAX_PICODOLLARS
from domain.ports.read_models import ReadModelUnavailable
from infra.local.machine import LOOPBACK, free_port
from projections import balances, queries
from projections.listing import Page
from tests.support.read_models import StoredSimulation, all_rows, fold_all, opened
from tests.support.services import Server
from tests.support.simulated_log import HOLD, SimulatedLog, job_accepted
from workers.projector import no_progress, rebuild

ACCOUNT = "acct_1"
READ_MODEL_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname LIKE 'read_model_jobs%'"


@pytest.fixture
async def read_models(database_url: str) -> AsyncIterator[SqlReadModels]:
    async with opened(database_url) as made:
        yield made


def log_of(*job_ids: str) -> SimulatedLog:
    log = SimulatedLog()
    log.grant(ACCOUNT, 100 * HOLD)
    for job_id in job_ids:
        log.submit(ACCOUNT, job_accepted(job_id, metadata={"n": job_id}))
    return log


async def is_replay(read_models: SqlReadModels, log: SimulatedLog) -> bool:
    names = list(read_models.projections)
    return await verify(read_models, StoredSimulation(log), names, no_progress) == ()


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def cut_connections(url: str) -> None:
    """As a restart of the server would."""
    execute(
        url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


async def test_they_stand_beside_the_event_stores_tables(
    database_url: str, read_models: SqlReadModels
) -> None:
    log = log_of("job_1")
    migrate(database_url)
    await fold_all(read_models, log.entries, 10)
    migrate(database_url)
    check(database_url)
    assert await is_replay(read_models, log)
    assert execute(database_url, "SELECT count(*) FROM holds") == [(0,)]
    assert len(all_rows(read_models)["holds"]) == 1


async def test_a_reader_does_not_notice_that_its_connection_was_cut(
    database_url: str, read_models: SqlReadModels
) -> None:
    await fold_all(read_models, log_of("job_1").entries, 10)
    query = queries.list_jobs(ACCOUNT, Page())
    before = await read_models.fetch(query)
    cut_connections(database_url)
    assert await read_models.fetch(query) == before


async def test_a_writer_goes_on_after_its_connection_was_cut(
    database_url: str, read_models: SqlReadModels
) -> None:
    log = log_of("job_1")
    await fold_all(read_models, log.entries[:1], 10)
    generations = await read_models.generations()
    cut_connections(database_url)
    with pytest.raises(ReadModelUnavailable):
        await read_models.apply(generations, log.entries)
    await read_models.apply(generations, log.entries)
    assert await is_replay(read_models, log)


async def test_rows_that_could_not_be_read_are_not_taken_for_missing(
    database_url: str, read_models: SqlReadModels
) -> None:
    log = log_of("job_1")
    await fold_all(read_models, log.entries, 10)
    log.append(ACCOUNT, "job_1", CancelRequested(job_id="job_1"))
    async with opened(database_url) as successor:
        generations = await successor.generations()
        execute(database_url, "ALTER TABLE read_model_jobs_v3_g1.jobs RENAME TO away")
        with pytest.raises(ReadModelUnavailable):
            await successor.apply(generations, log.entries)
        execute(database_url, "ALTER TABLE read_model_jobs_v3_g1.away RENAME TO jobs")
        assert {g.error for g in await successor.apply(generations, log.entries)} == {None}
    assert await is_replay(read_models, log)


async def test_a_server_that_is_away_is_unavailable() -> None:
    url = f"postgresql://nobody@{LOOPBACK}:{free_port()}/none"
    read_models = SqlReadModels(open_postgres(url))
    for attempt in (read_models.prepare, read_models.generations):
        with pytest.raises(ReadModelUnavailable):
            await attempt()
    with pytest.raises(ReadModelUnavailable):
        await read_models.fetch(queries.find_balance(ACCOUNT))
    await read_models.close()


async def test_tables_that_a_reader_held_are_dropped_by_the_next_preparation(
    database_url: str, read_models: SqlReadModels
) -> None:
    log = log_of("job_1")
    await fold_all(read_models, log.entries, 10)
    with snapshot(read_models.engine) as seen:
        seen.rows(text("SELECT id FROM jobs"))
        assert not await rebuild(read_models, StoredSimulation(log), ["jobs"])
        assert execute(database_url, READ_MODEL_TABLES) == [(4,)]
    await read_models.prepare()
    assert execute(database_url, READ_MODEL_TABLES) == [(2,)]


async def test_the_largest_amount_is_kept_to_the_last_digit(read_models: SqlReadModels) -> None:
    log = SimulatedLog()
    log.grant(ACCOUNT, MAX_PICODOLLARS - 1)
    await fold_all(read_models, log.entries, 10)
    log.grant(ACCOUNT, 1)
    await read_models.apply(await read_models.generations(), log.entries)
    (row,) = all_rows(read_models)["balances"]
    assert balances.wallet_of(row) == log.wallets[ACCOUNT]


@pytest.fixture
def dictionary_url(postgres_server: Server) -> Iterator[str]:
    """A database whose own order of texts is a dictionary's."""
    name = "dictionary_order"
    with closing(psycopg.connect(postgres_server.url, autocommit=True)) as maintenance:
        maintenance.execute(
            f"CREATE DATABASE {name} TEMPLATE template0"
            " LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'".encode()
        )
        yield urlsplit(postgres_server.url)._replace(path=f"/{name}").geturl()
        maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def test_keys_have_one_order_whatever_the_databases_own(dictionary_url: str) -> None:
    log = log_of("job_b", "job_B", "job_a", "job_C", "job_~", "job_é")
    assert execute(dictionary_url, "SELECT 'job_b' < 'job_C'") == [(True,)]
    async with opened(dictionary_url) as read_models:
        await fold_all(read_models, log.entries, 10)
        assert await is_replay(read_models, log)
        ids = [row["id"] for row in all_rows(read_models)["jobs"]]
    assert ids == sorted(ids)
