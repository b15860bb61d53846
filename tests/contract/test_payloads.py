"""The laws of `domain.ports.payloads.Payloads`, held by the sealed payloads."""

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.blobs.files import FileBlobs
from adapters.crypto.data_keys import DataKeys
from adapters.crypto.master_key import MasterKey, MasterKeyProblem
from adapters.crypto.payloads import INLINE_BYTES, SealedPayloads
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.errors import StoreUnavailable
from domain.ports.payloads import PayloadErased
from domain.sealed import Sealed

MASTER = MasterKey(b"m" * 32)
ALICE, BOB = "acct_alice", "acct_bob"
CONTEXT = "job_1/input"
SMALL, LARGE = b"a prompt", b"a long prompt " * 50_000


class House:
    """Opens the same data directory as often as a test restarts the engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: list[DataKeys] = []

    def payloads(self, master: MasterKey = MASTER, *, remembered: int = 100) -> SealedPayloads:
        keys = DataKeys(self.folder / "keys.db", master, SystemClock())
        self._open.append(keys)
        blobs = FileBlobs(self.folder / "blobs", "process")
        return SealedPayloads(keys, blobs, TimeOrderedIds(), remembered=remembered)

    def bytes_at_rest(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())

    def count_keys(self) -> int:
        database = sqlite3.connect(self.folder / "keys.db")
        (count,) = database.execute("SELECT count(*) FROM data_keys").fetchone()
        database.close()
        return int(count)

    def close(self) -> None:
        for keys in self._open:
            keys.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


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


async def test_a_destroyed_key_leaves_no_bytes_behind(house: House) -> None:
    payloads = house.payloads()
    await payloads.seal(ALICE, CONTEXT, SMALL)
    database = sqlite3.connect(house.folder / "keys.db")
    (wrapped,) = database.execute("SELECT wrapped FROM data_keys").fetchone()
    database.close()
    assert wrapped in house.bytes_at_rest()
    await payloads.destroy(ALICE)
    assert wrapped not in house.bytes_at_rest()


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


async def test_a_key_database_that_cannot_be_used_says_so(house: House) -> None:
    payloads = house.payloads()
    house.close()
    with pytest.raises(StoreUnavailable):
        await payloads.seal(ALICE, CONTEXT, SMALL)
