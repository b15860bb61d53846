"""The laws of `domain.ports.payloads.Payloads`, held with data keys in SQLite and PostgreSQL."""

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest

from adapters.blobs.files import FileBlobs
from adapters.crypto.data_keys import DataKeys
from adapters.crypto.master_key import MasterKey, MasterKeyProblem
from adapters.crypto.payloads import INLINE_BYTES, SealedPayloads
from adapters.postgres.data_keys import CONNECTION_SECONDS, Pool, PostgresDataKeys
from adapters.postgres.migrating import migrate
from adapters.sqlite.data_keys import SqliteDataKeys
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.errors import StoreUnavailable
from domain.ports.payloads import PayloadErased
from domain.sealed import Sealed
from tests.support.helpers import in_seconds

MASTER = MasterKey(b"m" * 32)
ALICE, BOB = "acct_alice", "acct_bob"
CONTEXT = "job_1/input"
SMALL, LARGE = b"a prompt", b"a long prompt " * 50_000


class House(ABC):
    """Opens the same keys and blobs as often as a test restarts the engine or adds a node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open = ExitStack()

    def payloads(
        self,
        master: MasterKey = MASTER,
        *,
        remembered: int = 100,
        trusted_seconds: float = 60,
    ) -> SealedPayloads:
        return SealedPayloads(
            self.keys(master),
            self.blobs(),
            TimeOrderedIds(),
            remembered=remembered,
            trusted_seconds=trusted_seconds,
        )

    def blobs(self) -> FileBlobs:
        return FileBlobs(self.folder / "blobs", "process")

    @abstractmethod
    def keys(self, master: MasterKey = MASTER) -> DataKeys: ...

    @abstractmethod
    def query(self, sql: str) -> list[tuple[Any, ...]]: ...

    def count_keys(self) -> int:
        return int(self.query("SELECT count(*) FROM data_keys")[0][0])

    def bytes_at_rest(self) -> bytes:
        files = (path.read_bytes() for path in self.folder.rglob("*") if path.is_file())
        return b"".join(files) + repr(self.query("SELECT * FROM data_keys")).encode()

    def close(self) -> None:
        self._open.close()


class SqliteHouse(House):
    def keys(self, master: MasterKey = MASTER) -> DataKeys:
        keys = SqliteDataKeys(self.folder / "keys.db", master, SystemClock())
        return self._open.enter_context(closing(keys))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "keys.db")) as database:
            return database.execute(sql).fetchall()


class PostgresHouse(House):
    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self.url = url
        migrate(url)

    def keys(self, master: MasterKey = MASTER) -> DataKeys:
        return PostgresDataKeys(self.pool(), master, SystemClock())

    def pool(self, size: int = 2) -> Pool:
        return self._open.enter_context(Pool(self.url, min_size=size, max_size=size, open=True))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as database:
            return database.execute(sql.encode()).fetchall()


@pytest.fixture
def sqlite_house(tmp_path: Path) -> Iterator[SqliteHouse]:
    with closing(SqliteHouse(tmp_path)) as house:
        yield house


@pytest.fixture
def postgres_house(tmp_path: Path, database_url: str) -> Iterator[PostgresHouse]:
    with closing(PostgresHouse(tmp_path, database_url)) as house:
        yield house


@pytest.fixture(params=["sqlite_house", "postgres_house"])
def house(request: pytest.FixtureRequest) -> House:
    house: House = request.getfixturevalue(request.param)
    return house


def at_once(*work: Callable[[], object]) -> list[object]:
    """What each returned or raised, begun at the same moment in threads of their own."""
    together = Barrier(len(work))

    def start(one: Callable[[], object]) -> object:
        together.wait()
        try:
            return one()
        except MasterKeyProblem as problem:
            return problem

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(start, work))


@pytest.mark.parametrize(
    "plain", [b"", SMALL, b"x" * INLINE_BYTES, b"x" * (INLINE_BYTES + 1), LARGE]
)
async def test_open_returns_what_seal_was_given(house: House, plain: bytes) -> None:
    payloads = house.payloads()
    sealed = await payloads.seal(ALICE, CONTEXT, plain)
    assert await payloads.open(ALICE, sealed) == plain
    assert sealed.size == len(plain)


@pytest.mark.parametrize("plain", [SMALL, LARGE])
async def test_a_payload_survives_a_restart(house: House, plain: bytes) -> None:
    sealed = await house.payloads().seal(ALICE, CONTEXT, plain)
    assert await house.payloads().open(ALICE, sealed) == plain


async def test_small_payloads_are_inline_and_larger_ones_are_blobs(house: House) -> None:
    payloads = house.payloads()
    small = await payloads.seal(ALICE, CONTEXT, b"x" * INLINE_BYTES)
    large = await payloads.seal(ALICE, CONTEXT, b"x" * (INLINE_BYTES + 1))
    assert (small.inline is not None, small.blob_id) == (True, None)
    assert (large.inline, large.blob_id is not None) == (None, True)


@pytest.mark.parametrize("plain", [SMALL, LARGE])
async def test_another_account_cannot_open_a_payload(house: House, plain: bytes) -> None:
    payloads = house.payloads()
    sealed = await payloads.seal(ALICE, CONTEXT, plain)
    bobs = await payloads.seal(BOB, CONTEXT, plain)
    for forged in (sealed, replace(sealed, key_id=bobs.key_id)):
        with pytest.raises(ValueError, match=r"no data key|altered"):
            await payloads.open(BOB, forged)


def _forgeries(sealed: Sealed) -> list[Sealed]:
    assert sealed.inline is not None
    flipped = bytes([sealed.inline[-1] ^ 1])
    return [
        replace(sealed, inline=sealed.inline[:-1] + flipped),
        replace(sealed, inline=bytes([sealed.inline[0] ^ 1]) + sealed.inline[1:]),
        replace(sealed, inline=sealed.inline[:-1]),
        replace(sealed, inline=b""),
        replace(sealed, context="job_2/input"),
        replace(sealed, size=sealed.size + 1),
        replace(sealed, key_id="dk_unknown"),
        replace(sealed, inline=None),
        replace(sealed, inline=None, blob_id="blob_" + "0" * 32),
        replace(sealed, inline=None, blob_id="../keys.db"),
    ]


@pytest.mark.parametrize("index", range(10))
async def test_an_altered_reference_is_refused(house: House, index: int) -> None:
    payloads = house.payloads()
    sealed = await payloads.seal(ALICE, CONTEXT, SMALL)
    with pytest.raises(ValueError, match=r"altered|no data key|neither|no blob id|missing"):
        await payloads.open(ALICE, _forgeries(sealed)[index])


async def test_an_altered_blob_is_refused(house: House) -> None:
    payloads = house.payloads()
    sealed = await payloads.seal(ALICE, CONTEXT, LARGE)
    (path,) = (p for p in (house.folder / "blobs").rglob("blob_*") if p.is_file())
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="altered"):
        await payloads.open(ALICE, sealed)


async def test_nothing_readable_stands_in_the_data_directory(house: House) -> None:
    payloads = house.payloads()
    planted = b"planted-prompt-5813"
    for plain in (planted, planted * 1000):
        await payloads.seal(ALICE, CONTEXT, plain)
    assert planted not in house.bytes_at_rest()


async def test_equal_payloads_have_different_ciphertexts(house: House) -> None:
    payloads = house.payloads()
    first = await payloads.seal(ALICE, CONTEXT, SMALL)
    second = await payloads.seal(ALICE, CONTEXT, SMALL)
    assert first.inline != second.inline


async def test_fifty_concurrent_first_uses_make_one_key(house: House) -> None:
    engines = [house.payloads(), house.payloads()]
    sealed = await asyncio.gather(*(engines[n % 2].seal(ALICE, CONTEXT, SMALL) for n in range(50)))
    assert len({one.key_id for one in sealed}) == house.count_keys() == 1


def test_nodes_that_make_an_accounts_first_key_at_once_end_up_with_one(house: House) -> None:
    nodes = [house.keys() for _ in range(4)]
    for number in range(10):
        made = at_once(*(partial(node.current, f"acct_{number}") for node in nodes))
        assert len({repr(key) for key in made}) == 1
    assert house.count_keys() == 10


async def test_the_fingerprint_is_the_same_after_a_restart(house: House) -> None:
    before = await house.payloads().fingerprint(ALICE, LARGE)
    assert await house.payloads().fingerprint(ALICE, LARGE) == before


async def test_fingerprints_tell_inputs_and_accounts_apart(house: House) -> None:
    payloads = house.payloads()
    pairs = [(ALICE, b"a"), (ALICE, b"b"), (BOB, b"a")]
    fingerprints = {await payloads.fingerprint(account, content) for account, content in pairs}
    assert len(fingerprints) == 3
    assert all(len(one) == 32 for one in fingerprints)


async def test_an_erased_account_can_never_be_opened_again(house: House) -> None:
    payloads = house.payloads()
    sealed = [await payloads.seal(ALICE, CONTEXT, plain) for plain in (SMALL, LARGE)]
    kept = await payloads.seal(BOB, CONTEXT, SMALL)
    await payloads.destroy(ALICE)
    for engine in (payloads, house.payloads()):
        for one in sealed:
            with pytest.raises(PayloadErased):
                await engine.open(ALICE, one)
        assert await engine.open(BOB, kept) == SMALL


async def test_a_destroyed_key_leaves_no_bytes_in_its_file(sqlite_house: SqliteHouse) -> None:
    payloads = sqlite_house.payloads()
    await payloads.seal(ALICE, CONTEXT, SMALL)
    ((wrapped,),) = sqlite_house.query("SELECT wrapped FROM data_keys")
    assert wrapped in sqlite_house.bytes_at_rest()
    await payloads.destroy(ALICE)
    assert wrapped not in sqlite_house.bytes_at_rest()


async def test_a_destroyed_key_is_gone_and_the_row_says_when(house: House) -> None:
    payloads = house.payloads()
    await payloads.seal(ALICE, CONTEXT, SMALL)
    await payloads.destroy(ALICE)
    row = "SELECT wrapped, destroyed_at >= created_at FROM data_keys"
    assert [tuple(one) for one in house.query(row)] == [(None, True)]


async def test_a_key_that_another_node_destroyed_is_not_used_for_long(house: House) -> None:
    here, there = house.payloads(trusted_seconds=0.05), house.payloads()
    sealed = await here.seal(ALICE, CONTEXT, SMALL)
    await there.destroy(ALICE)
    await asyncio.sleep(0.06)
    with pytest.raises(PayloadErased):
        await here.open(ALICE, sealed)
    fresh = await here.seal(ALICE, CONTEXT, SMALL)
    assert fresh.key_id != sealed.key_id
    assert await there.open(ALICE, fresh) == SMALL


async def test_a_known_key_is_used_without_asking_for_as_long_as_it_is_trusted(
    house: House,
) -> None:
    payloads = house.payloads(trusted_seconds=60)
    sealed = await payloads.seal(ALICE, CONTEXT, SMALL)
    house.close()
    assert await payloads.open(ALICE, sealed) == SMALL


async def test_an_account_that_was_erased_can_begin_anew(house: House) -> None:
    payloads = house.payloads()
    await payloads.seal(ALICE, CONTEXT, SMALL)
    await payloads.destroy(ALICE)
    fresh = await payloads.seal(ALICE, CONTEXT, SMALL)
    assert await payloads.open(ALICE, fresh) == SMALL


async def test_more_accounts_than_are_remembered_still_open(house: House) -> None:
    payloads = house.payloads(remembered=2)
    accounts = [f"acct_{n}" for n in range(6)]
    sealed = [await payloads.seal(account, CONTEXT, SMALL) for account in accounts]
    opened = [await payloads.open(a, s) for a, s in zip(accounts, sealed, strict=True)]
    assert opened == [SMALL] * 6


async def test_another_master_key_is_refused_at_the_start(house: House) -> None:
    house.payloads()
    with pytest.raises(MasterKeyProblem, match="another master key"):
        house.payloads(MasterKey(b"n" * 32))


def test_of_two_first_starts_under_different_master_keys_one_is_refused(house: House) -> None:
    masters = [MasterKey(b"m" * 32), MasterKey(b"n" * 32)]
    started = at_once(*(partial(house.keys, master) for master in masters))
    assert sorted(isinstance(one, MasterKeyProblem) for one in started) == [False, True]


async def test_a_key_database_that_cannot_be_used_says_so(house: House) -> None:
    payloads = house.payloads()
    house.close()
    with pytest.raises(StoreUnavailable):
        await payloads.seal(ALICE, CONTEXT, SMALL)


async def test_who_waits_for_keys_that_are_away_waits_for_one_failure_alone(
    postgres_house: PostgresHouse,
) -> None:
    pool = postgres_house.pool(size=1)
    keys = PostgresDataKeys(pool, MASTER, SystemClock())
    payloads = SealedPayloads(keys, postgres_house.blobs(), TimeOrderedIds())
    with pool.connection():  # so that there is none left
        seals = (payloads.seal(f"acct_{number}", CONTEXT, SMALL) for number in range(5))
        sealing = asyncio.gather(*seals, return_exceptions=True)
        # One after another, they would wait for ten seconds.
        assert await in_seconds(sealing) < 2.5 * CONNECTION_SECONDS
    assert [type(outcome) for outcome in await sealing] == [StoreUnavailable] * 5


def test_a_database_without_the_tables_says_so(database_url: str) -> None:
    with (
        Pool(database_url, min_size=1, open=True) as pool,
        pytest.raises(StoreUnavailable, match="master_key"),
    ):
        PostgresDataKeys(pool, MASTER, SystemClock())


def test_connections_that_the_server_ended_are_replaced_unnoticed(
    postgres_house: PostgresHouse,
) -> None:
    keys = postgres_house.keys()
    first = keys.current(ALICE)
    postgres_house.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert keys.current(ALICE).key_id == first.key_id
