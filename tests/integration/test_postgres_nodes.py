"""Several nodes on one PostgreSQL: what they must never do to each other, and what they see."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import psycopg
import pytest

from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.migrating import migrate
from adapters.postgres.recorder import Datastore
from adapters.postgres.transaction import OF_QUEUE
from domain.billing.events import ChargeRecorded
from domain.billing.wallet import InsufficientCredits
from domain.errors import StoreUnavailable, VersionConflict
from domain.event import Recorded
from domain.ports.event_store import StreamWrite
from infra.local.services import LocalPostgres
from tests.support.store_places import opened_postgres_store
from tests.support.stores import (
    ACCOUNT,
    accepted,
    appending,
    cancelled,
    charged,
    completed,
    credited,
    job_id,
    write,
)

NODES = 4


@asynccontextmanager
async def nodes(url: str, count: int = NODES) -> AsyncIterator[list[PostgresEventStore]]:
    """Stores of one database, each with its tail running."""
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(opened_postgres_store(url)) for _ in range(count)]
        tails = [asyncio.create_task(store.log.run()) for store in opened]
        try:
            yield opened
        finally:
            for tail in tails:
                tail.cancel()
            await asyncio.gather(*tails, return_exceptions=True)


async def test_no_node_overspends_what_another_has_held(store_url: str) -> None:
    async with nodes(store_url) as stores:
        await write(stores[0], "crd_1", credited("crd_1", 10))
        outcomes = await asyncio.gather(
            *(write(stores[n % NODES], job_id(n), accepted(n, hold=1)) for n in range(50)),
            return_exceptions=True,
        )
        wallet = await stores[1].wallet(ACCOUNT)
    assert sum(not isinstance(one, BaseException) for one in outcomes) == 10
    assert all(isinstance(one, tuple | InsufficientCredits) for one in outcomes)
    assert (wallet.held, wallet.available) == (10, 0)


async def test_the_first_credits_of_an_account_from_all_nodes_add_up(store_url: str) -> None:
    """There is no wallet row yet that could be locked."""
    async with nodes(store_url) as stores:
        await asyncio.gather(
            *(write(stores[n % NODES], f"crd_{n}", credited(f"crd_{n}", 1)) for n in range(40))
        )
        assert (await stores[0].wallet(ACCOUNT)).purchased == 40


async def test_balances_in_events_are_in_the_order_of_the_log(store_url: str) -> None:
    async with nodes(store_url) as stores:
        await write(stores[0], "crd_1", credited("crd_1", 1_000))
        await asyncio.gather(*(_accept_and_complete(stores, n) for n in range(60)))
        log = await stores[0].read_log(0, 1_000)
    assert [entry.position for entry in log] == list(range(1, len(log) + 1))
    charges = [
        e.event for e in log if isinstance(e, Recorded) and isinstance(e.event, ChargeRecorded)
    ]
    assert [charge.balance_picodollars for charge in charges] == list(range(999, 939, -1))


async def _accept_and_complete(stores: list[PostgresEventStore], number: int) -> None:
    await write(stores[number % NODES], job_id(number), accepted(number, hold=2))
    charge = charged(number, 1)
    await stores[(number + 1) % NODES].append(
        appending(
            StreamWrite(job_id(number), 1, (completed(number),)),
            StreamWrite(charge.charge_id, 0, (charge,)),
        )
    )


async def test_of_all_nodes_one_ends_a_stream_of_two_accounts(store_url: str) -> None:
    """Writers that share no account lock meet at the stream itself."""
    async with nodes(store_url) as stores:
        for number in range(20):
            outcomes = await asyncio.gather(
                *(
                    write(store, f"s{number}", credited("c", 1), account=f"acct_{index}")
                    for index, store in enumerate(stores)
                ),
                return_exceptions=True,
            )
            refused = [one for one in outcomes if isinstance(one, BaseException)]
            assert [type(one) for one in refused] == [VersionConflict] * (NODES - 1)


async def test_a_tailing_reader_skips_nothing_between_slow_and_fast_commits(
    store_url: str,
) -> None:
    """A slow transaction that has its positions keeps the fast ones behind it waiting."""
    seen: list[int] = []
    async with nodes(store_url) as stores:
        writing = asyncio.create_task(_write_for_a_while(stores))
        slow = asyncio.create_task(asyncio.to_thread(_slow_transactions, store_url))
        while not (writing.done() and slow.done() and seen and seen[-1] == await stores[3].head()):
            seen += [e.position for e in await stores[3].read_log(seen[-1] if seen else 0, 1_000)]
            await asyncio.sleep(0)
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) == 100 + 4


async def _write_for_a_while(stores: list[PostgresEventStore]) -> None:
    for turn in range(100):
        store = stores[turn % (NODES - 1)]
        await write(store, job_id(turn), accepted(turn), account=f"acct_{turn % 5}")


def _slow_transactions(url: str) -> None:
    with psycopg.connect(url) as connection:
        for number in range(6):
            before = connection.execute(
                "UPDATE log_head SET position = position + 1 RETURNING position"
            ).fetchone()
            assert before is not None
            connection.execute(
                "INSERT INTO stored_events (originator_id, originator_version, topic, state, "
                "notification_id) VALUES (%s, 1, 'slow@1', '{}', %s)",
                (f"slow_{number}", before[0]),
            )
            connection.execute("SELECT pg_sleep(0.05)")
            if number % 3 == 2:
                connection.rollback()  # its positions are given to the next one
            else:
                connection.commit()


async def test_what_another_node_records_wakes_the_followers_of_this_one(store_url: str) -> None:
    async with nodes(store_url, 2) as (here, there):
        waiting = asyncio.create_task(here.log.wait(0))
        await asyncio.sleep(0.02)
        await write(there, job_id(1), accepted(1), cancelled(1))
        async with asyncio.timeout(2):
            await waiting
        assert [e.position for e in await here.log.read(0, 10)] == [1, 2]


async def test_a_node_knows_its_own_commits_at_once(store_url: str) -> None:
    """Also behind commits of others that it has not seen."""
    async with opened_postgres_store(store_url) as here, opened_postgres_store(store_url) as there:
        await write(there, job_id(1), accepted(1))
        (mine,) = await write(here, job_id(2), accepted(2))
        assert here.log.head() == mine.position == 2
        assert [e.position for e in await here.log.read(0, 10)] == [1, 2]


async def test_appends_outlive_a_restart_of_the_server(server_folder: Path) -> None:
    """Each is recorded once or refused, and which of the two is told truly."""
    with LocalPostgres(server_folder / "postgres") as server:
        migrate(server.url)
        async with nodes(server.url, 2) as stores:
            told: dict[int, bool] = {}
            writing = [
                asyncio.create_task(_keep_writing(store, told, start))
                for start, store in enumerate(stores)
            ]
            for stop in (server.stop, server.kill):
                await asyncio.sleep(0.4)
                await asyncio.to_thread(stop)
                await asyncio.to_thread(server.start)
            await asyncio.sleep(1)
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)
            log = await _until_it_answers(stores[0])
    recorded = {entry.stream for entry in log}
    assert len(log) == len(recorded)
    assert {number for number, stands in told.items() if stands} <= {
        int(stream[4:], 16) for stream in recorded
    }
    assert all(job_id(n) not in recorded for n, stands in told.items() if not stands)
    assert any(told.values())


async def _keep_writing(store: PostgresEventStore, told: dict[int, bool], start: int) -> None:
    for number in range(start, 10**6, 2):
        try:
            await write(store, job_id(number), accepted(number))
        except StoreUnavailable:
            told[number] = False
            await asyncio.sleep(0.01)
        else:
            told[number] = True


async def _until_it_answers(store: PostgresEventStore) -> list[Recorded]:  # type: ignore[type-arg]
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(StoreUnavailable):
                entries = await store.read_log(0, 10**6)
                return [entry for entry in entries if isinstance(entry, Recorded)]
            await asyncio.sleep(0.1)


async def test_a_database_that_refuses_us_is_said_to_be_unavailable(store_url: str) -> None:
    wrong = store_url.replace("gatewayz:", "gatewayz:not-", 1)
    with pytest.raises(StoreUnavailable):
        async with opened_postgres_store(wrong, connect_timeout=1):
            pass


async def test_work_that_ends_is_found_by_its_id_however_the_table_looked(store_url: str) -> None:
    """A plan that was made while the queue was empty serves when it is long."""
    with closing(Datastore(store_url, 1)) as datastore, datastore.get_connection() as connection:
        connection.execute("ANALYZE work")
        for statement in ("DELETE FROM work", "SELECT 1 FROM work"):
            found = OF_QUEUE.replace("%s", "'dispatch'")
            sql = f"EXPLAIN {statement} WHERE item_id = ANY('{{a}}') AND {found}"
            assert "work_pkey" in str(connection.execute(sql.encode()).fetchall())
