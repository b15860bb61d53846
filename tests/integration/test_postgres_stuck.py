"""Nodes and servers that stop in the middle hold up the others for some seconds at most."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from adapters.postgres.migrating import migrate
from adapters.postgres.recorder import IDLE_IN_TRANSACTION_SECONDS, Datastore
from adapters.postgres.tail import LOOK_SECONDS, LogRewound
from adapters.postgres.transaction import load
from adapters.postgres.watchdog import end_stuck_transactions
from adapters.store.group_thread import STUCK_SECONDS
from domain.errors import StoreUnavailable
from domain.ports.event_store import StreamWrite
from infra.local.services import LocalPostgres
from tests.chaos.cluster_services import frozen
from tests.support.store_places import opened_postgres_store
from tests.support.stores import accepted, appending, job_id, write

PATIENCE = IDLE_IN_TRANSACTION_SECONDS + 4


@contextmanager
def stopped_node(url: str, *, with_the_counter: bool) -> Iterator[None]:
    """A node that went as far as this in an append and does nothing more."""
    datastore = Datastore(url, 1)
    datastore.pool.open(wait=True, timeout=5)
    append = appending(StreamWrite(job_id(1), 0, (accepted(1),)))
    connection = datastore.pool.getconn()
    connection.row_factory = dict_row
    context = connection.pipeline()
    load(connection, context.__enter__(), [append])
    if with_the_counter:
        connection.execute("UPDATE log_head SET position = position + 1")
        connection.pgconn.send_flush_request()
        connection.pgconn.flush()
        time.sleep(0.2)
    try:
        yield
    finally:
        with suppress(psycopg.Error):
            context.__exit__(None, None, None)
        datastore.pool.putconn(connection)
        datastore.close()


async def test_a_node_that_stops_while_it_decides_gives_its_accounts_back(store_url: str) -> None:
    async with opened_postgres_store(store_url) as store:
        with stopped_node(store_url, with_the_counter=False):
            async with asyncio.timeout(PATIENCE):
                await write(store, job_id(2), accepted(2))


async def test_a_node_that_stops_with_the_counter_is_ended_by_the_others(store_url: str) -> None:
    async with opened_postgres_store(store_url) as store:
        watchdog = asyncio.create_task(end_stuck_transactions(store.reader))
        with stopped_node(store_url, with_the_counter=True):
            async with asyncio.timeout(PATIENCE):
                (recorded,) = await write(store, job_id(2), accepted(2), account="acct_2")
        watchdog.cancel()
        assert recorded.position == 1


async def test_a_server_that_hangs_is_said_to_be_unavailable(server_folder: Path) -> None:
    with LocalPostgres(server_folder / "postgres") as server:
        migrate(server.url)
        async with opened_postgres_store(server.url) as store:
            tail = asyncio.create_task(store.log.run())
            await write(store, job_id(1), accepted(1))
            with frozen(server):
                hanging = asyncio.create_task(write(store, job_id(2), accepted(2)))
                async with asyncio.timeout(STUCK_SECONDS + 3):
                    while store.is_available():
                        await asyncio.sleep(0.1)
                await asyncio.sleep(STUCK_SECONDS - LOOK_SECONDS + 1)
                with pytest.raises(StoreUnavailable):  # at once, and not in the queue of what hangs
                    await asyncio.wait_for(write(store, job_id(3), accepted(3)), 0.5)
            await asyncio.wait({hanging}, timeout=20)
            async with asyncio.timeout(20):
                while not store.is_available():
                    await asyncio.sleep(0.1)
            tail.cancel()


@pytest.mark.parametrize("reused", [False, True])
async def test_a_log_that_lost_its_end_is_noticed(store_url: str, reused: bool) -> None:
    """As after a takeover by a server that did not have the last commits."""
    async with opened_postgres_store(store_url) as store:
        tail = asyncio.create_task(store.log.run())
        await write(store, job_id(1), accepted(1))
        await write(store, job_id(2), accepted(2))
        with psycopg.connect(store_url, autocommit=True) as other:
            if reused:
                other.execute(
                    "UPDATE stored_events SET state = convert_to("
                    "replace(convert_from(state, 'utf8'), 'evt_', 'evt_f'), 'utf8') "
                    "WHERE notification_id = 2"
                )
            else:
                other.execute("DELETE FROM stored_events WHERE notification_id = 2")
        with pytest.raises(LogRewound):
            await asyncio.wait_for(tail, 5)
