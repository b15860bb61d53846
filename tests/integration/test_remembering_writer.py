"""What the writer of the embedded store remembers is never older than the file."""

from pathlib import Path

import pytest

from adapters.sqlite.known import MAX_KNOWN
from domain.billing.wallet import InsufficientCredits
from domain.errors import VersionConflict
from domain.ports.event_store import StreamWrite
from tests.support.stores import (
    accepted,
    appending,
    cancelled,
    credited,
    job_id,
    opened_store,
    write,
)


async def test_a_wallet_is_as_another_process_left_it(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    async with opened_store(path) as ours, opened_store(path) as theirs:
        await write(ours, "crd_1", credited("crd_1", 100))
        await write(theirs, job_id(1), accepted(1, hold=70))
        with pytest.raises(InsufficientCredits):
            await write(ours, job_id(2), accepted(2, hold=70))


async def test_a_stream_and_the_log_go_on_where_another_process_left_them(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    async with opened_store(path) as ours, opened_store(path) as theirs:
        await write(ours, job_id(1), accepted(1))
        await write(theirs, job_id(1), cancelled(1), version=1)
        with pytest.raises(VersionConflict):
            await write(ours, job_id(1), cancelled(1), version=1)
        (recorded,) = await write(ours, job_id(2), accepted(2))
    assert recorded.position == 3


async def test_what_a_failed_transaction_decided_is_forgotten(tmp_path: Path) -> None:
    async with opened_store(tmp_path / "events.db") as store:
        await write(store, "crd_1", credited("crd_1", 100))
        with pytest.raises(UnicodeEncodeError):
            await write(store, "no text \ud800", accepted(1, hold=100))
        (recorded,) = await write(store, job_id(2), accepted(2, hold=100))
        assert recorded.position == 2
        assert (await store.wallet("acct_1")).held == 100


async def test_what_was_forgotten_for_there_being_too_much_is_read_again(tmp_path: Path) -> None:
    async with opened_store(tmp_path / "events.db") as store:
        await write(store, "crd_1", credited("crd_1", 100))
        await write(store, job_id(0), accepted(0, hold=70))
        others = range(1, MAX_KNOWN + 1)
        await store.append(appending(*(StreamWrite(job_id(n), 0, (accepted(n),)) for n in others)))
        await write(store, job_id(0), cancelled(0), version=1)
        assert (await store.wallet("acct_1")).held == 0
        assert len(await store.backlog("dispatch")) == MAX_KNOWN
