"""The log opened without an engine, as `infra/offline.py:OfflineLog` has it, on either store."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.codec.events import EventCodec
from adapters.postgres.reader import PostgresLogReader
from adapters.sqlite.reader import LogReader
from domain.billing.wallet import Wallet
from domain.errors import StoreUnavailable
from domain.event_types import ALL_EVENTS
from infra.local.machine import LOOPBACK, free_port
from infra.offline import OfflineLog
from tests.support.store_places import AnyStore, PostgresPlace, SqlitePlace, StorePlace
from tests.support.stores import ACCOUNT, accepted, cancelled, credited, job_id, write


@pytest.fixture
async def store(place: StorePlace) -> AsyncIterator[AnyStore]:
    async with place.opened() as opened:
        yield opened


@pytest.fixture
def log(place: StorePlace, store: AnyStore) -> Iterator[OfflineLog]:
    with closing(reader_of(place)) as reader:
        yield reader


def reader_of(place: StorePlace) -> OfflineLog:
    codec = EventCodec(ALL_EVENTS)
    if isinstance(place, SqlitePlace):
        return LogReader(place.path, codec)
    assert isinstance(place, PostgresPlace)
    return PostgresLogReader(place.url, codec)


async def test_it_has_what_the_store_has(store: AnyStore, log: OfflineLog) -> None:
    for number in range(5):
        await write(store, job_id(number), accepted(number), cancelled(number))
    assert (log.last(), await log.head()) == (10, 10)
    assert log.entries(0, 100) == await store.read_log(0, 100) == await log.read_log(0, 100)
    assert [row.position for row in log.rows(3, 4)] == [4, 5, 6, 7]


async def test_an_empty_log_ends_at_zero(log: OfflineLog) -> None:
    assert (log.last(), log.rows(0, 10), log.wallets()) == (0, [], {})


async def test_it_sees_what_is_recorded_while_it_is_open(store: AnyStore, log: OfflineLog) -> None:
    assert log.last() == 0
    await write(store, job_id(0), accepted(0))
    assert log.last() == 1


async def test_it_has_the_wallets_to_the_last_picodollar(store: AnyStore, log: OfflineLog) -> None:
    await write(store, "wallet_1", credited("crd_1", 10**17 + 1))
    await write(store, job_id(0), accepted(0, hold=3))
    assert log.wallets() == {ACCOUNT: Wallet(0, 10**17 + 1, 3)}


async def test_a_snapshot_is_of_one_instant(store: AnyStore, log: OfflineLog) -> None:
    await write(store, "wallet_1", credited("crd_1", 5))
    with log.snapshot():
        before = log.last(), log.wallets()
        await write(store, "wallet_2", credited("crd_2", 7))
        assert (log.last(), log.wallets()) == before
    assert log.last() == 2


def test_a_missing_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        LogReader(tmp_path / "events.db", EventCodec(ALL_EVENTS))


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    url = f"postgresql://{LOOPBACK}:{free_port()}/none"
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        PostgresLogReader(url, EventCodec(ALL_EVENTS))


def test_a_database_without_an_event_store_is_unavailable(database_url: str) -> None:
    with (
        closing(PostgresLogReader(database_url, EventCodec(ALL_EVENTS))) as reader,
        pytest.raises(StoreUnavailable, match="cannot be read"),
    ):
        reader.last()
