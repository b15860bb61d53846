"""The laws of `domain/ports/event_store.py`, held by every event store."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.postgres.event_store import PostgresEventStore
from domain.billing.events import ChargeRecorded, CreditGranted
from domain.billing.wallet import InsufficientCredits, Wallet
from domain.effects import Enqueue
from domain.errors import VersionConflict
from domain.event import Event, Recorded
from domain.inference.events import CancelRequested, JobAccepted, JobCancelled
from domain.ports.event_store import (
    Append,
    Checkpoint,
    DeadLetter,
    Mark,
    StreamWrite,
    Unreadable,
)
from tests.support.store_places import AnyStore, StorePlace
from tests.support.stores import (
    ACCOUNT,
    accepted,
    appending,
    cancelled,
    charged,
    completed,
    credited,
    job_id,
    origin,
    write,
)

LETTER = DeadLetter("billing", 1, "some.event", "it broke", 1_700_000_000_000)
WORK = Enqueue("dispatch", job_id(1), ACCOUNT, "standard", 1)


@pytest.fixture
async def store(place: StorePlace) -> AsyncIterator[AnyStore]:
    async with place.opened() as opened:
        yield opened


def asked_to_stop(number: int) -> Event:
    """Happens to a job that was accepted, any number of times."""
    return CancelRequested(job_id=job_id(number))


async def complete(store: AnyStore, picodollars: int) -> tuple[Recorded[Event], ...]:
    """Ends job 1, which was accepted, with a charge."""
    charge = charged(1, picodollars)
    return await store.append(
        appending(
            StreamWrite(job_id(1), 1, (completed(1),)),
            StreamWrite(charge.charge_id, 0, (charge,)),
        )
    )


async def test_what_was_appended_is_there_after_reopening(place: StorePlace) -> None:
    """Law 1."""
    async with place.opened() as store:
        recorded = await write(store, job_id(1), accepted(1), cancelled(1))
    async with place.opened() as store:
        assert await store.read_stream(job_id(1)) == recorded


async def test_closing_commits_what_still_waits(place: StorePlace) -> None:
    """Law 1."""
    async with place.opened() as store:
        waiting = [asyncio.create_task(write(store, job_id(n), accepted(n))) for n in range(50)]
        await asyncio.sleep(0)
    assert len(await asyncio.gather(*waiting)) == 50
    async with place.opened() as store:
        assert await store.head() == 50


async def test_an_event_comes_back_as_it_was_recorded(store: AnyStore) -> None:
    """Law 1."""
    event = accepted(1)
    (recorded,) = await write(store, job_id(1), event)
    assert recorded.event == event
    assert (recorded.stream, recorded.version, recorded.account_id) == (job_id(1), 1, ACCOUNT)
    assert recorded.actor_id == "test"
    assert recorded.correlation_id == "req_test"


@pytest.mark.parametrize("expected", [0, 2, 7])
async def test_a_wrong_expected_version_is_a_conflict(store: AnyStore, expected: int) -> None:
    """Law 2."""
    await write(store, job_id(1), accepted(1))
    with pytest.raises(VersionConflict) as conflict:
        await write(store, job_id(1), cancelled(1), version=expected)
    assert (conflict.value.stream, conflict.value.actual) == (job_id(1), 1)


async def test_a_conflict_in_one_stream_refuses_every_stream(store: AnyStore) -> None:
    """Law 2."""
    with pytest.raises(VersionConflict):
        await store.append(
            appending(
                StreamWrite("crd_1", 0, (credited("crd_1", 5),)),
                StreamWrite(job_id(1), 1, (accepted(1),)),
            )
        )
    assert await store.head() == 0
    assert await store.wallet(ACCOUNT) == Wallet()


async def test_of_many_writers_of_one_version_one_wins(store: AnyStore) -> None:
    """Law 2."""
    await write(store, job_id(1), accepted(1))
    results = await asyncio.gather(
        *(write(store, job_id(1), cancelled(1), version=1) for _ in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, VersionConflict) for result in results) == 19
    assert len(await store.read_stream(job_id(1))) == 2


async def test_a_refusal_does_not_disturb_what_is_committed_beside_it(
    store: AnyStore,
) -> None:
    """Law 2."""
    results = await asyncio.gather(
        *(write(store, job_id(n), accepted(n), version=n % 2) for n in range(100)),
        return_exceptions=True,
    )
    assert [isinstance(result, VersionConflict) for result in results] == [False, True] * 50
    assert await store.head() == 50


async def test_positions_and_versions_are_gap_free_from_one(store: AnyStore) -> None:
    """Law 3."""
    for version in range(3):
        happened = [accepted(n) if version == 0 else asked_to_stop(n) for n in range(20)]
        await asyncio.gather(
            *(write(store, job_id(n), happened[n], version=version) for n in range(20)),
            *(write(store, job_id(n), happened[n], version=9) for n in range(20)),
            return_exceptions=True,
        )
    log = await store.read_log(0, 1000)
    assert [entry.position for entry in log] == list(range(1, 61))
    assert [r.version for r in await store.read_stream(job_id(7))] == [1, 2, 3]


async def test_several_events_of_one_append_stand_side_by_side(store: AnyStore) -> None:
    """Law 3."""
    appended = await asyncio.gather(
        *(write(store, job_id(n), accepted(n), cancelled(n)) for n in range(50))
    )
    for first, second in appended:
        assert second.position == first.position + 1


async def test_a_hold_comes_with_its_event(store: AnyStore) -> None:
    """Law 4."""
    await write(store, "crd_1", credited("crd_1", 100))
    await write(store, job_id(1), accepted(1, hold=70))
    assert await store.wallet(ACCOUNT) == Wallet(purchased=100, held=70)


async def test_a_hold_that_is_not_available_refuses_the_append(store: AnyStore) -> None:
    """Law 4."""
    await write(store, "crd_1", credited("crd_1", 100))
    with pytest.raises(InsufficientCredits) as refusal:
        await store.append(
            appending(
                StreamWrite("crd_2", 0, (credited("crd_2", 20),)),
                StreamWrite(job_id(1), 0, (accepted(1, hold=121),)),
            )
        )
    assert (refusal.value.required, refusal.value.available) == (121, 120)
    assert await store.wallet(ACCOUNT) == Wallet(purchased=100)
    assert await store.read_stream("crd_2") == ()


async def test_holds_made_at_once_never_pass_the_balance(store: AnyStore) -> None:
    """Law 4."""
    await write(store, "crd_1", credited("crd_1", 100))
    results = await asyncio.gather(
        *(write(store, job_id(n), accepted(n, hold=10)) for n in range(50)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, InsufficientCredits) for result in results) == 40
    assert await store.wallet(ACCOUNT) == Wallet(purchased=100, held=100)


async def test_a_release_gives_the_hold_back(store: AnyStore) -> None:
    """Law 4."""
    await write(store, "crd_1", credited("crd_1", 100))
    await write(store, job_id(1), accepted(1, hold=70))
    await write(store, job_id(1), cancelled(1), version=1)
    assert await store.wallet(ACCOUNT) == Wallet(purchased=100)


async def test_a_capture_ends_the_hold_and_takes_the_allowance_first(
    store: AnyStore,
) -> None:
    """Law 4."""
    await write(store, "crd_1", credited("crd_1", 100))
    await write(store, "crd_2", credited("crd_2", 5, "allowance"))
    await write(store, job_id(1), accepted(1, hold=70))
    await complete(store, 30)
    assert await store.wallet(ACCOUNT) == Wallet(allowance=0, purchased=75)


@pytest.mark.parametrize("event", [cancelled(1), charged(1, 0)])
async def test_ending_an_unknown_hold_is_an_error(
    store: AnyStore, event: JobCancelled | ChargeRecorded
) -> None:
    """Law 4."""
    with pytest.raises(ValueError, match="hold"):
        await write(store, "somewhere", event)
    assert await store.head() == 0


async def test_a_hold_of_another_account_cannot_be_ended(store: AnyStore) -> None:
    """Law 4."""
    await write(store, "crd_1", credited("crd_1", 100))
    await write(store, job_id(1), accepted(1, hold=70))
    with pytest.raises(ValueError, match="hold"):
        await write(store, job_id(1), cancelled(1), version=1, account="acct_2")
    assert await store.wallet(ACCOUNT) == Wallet(purchased=100, held=70)


async def test_work_mark_and_dead_letter_stand_with_the_events(store: AnyStore) -> None:
    """Law 4."""
    writes = (StreamWrite(job_id(1), 0, (accepted(1),)),)
    await store.append(Append(origin(), writes, (WORK,), Mark("billing", 1), (LETTER,)))
    assert [item.item_id for item in await store.backlog("dispatch")] == [job_id(1)]
    assert await store.checkpoint("billing") == Checkpoint(1)
    (letter,) = await store.dead_letters()
    assert replace(letter, state=b"") == LETTER
    assert job_id(1).encode() in letter.state


async def test_a_refused_append_leaves_no_work_no_mark_and_no_dead_letter(
    store: AnyStore,
) -> None:
    """Law 4."""
    writes = (StreamWrite(job_id(1), 3, (accepted(1),)),)
    with pytest.raises(VersionConflict):
        await store.append(Append(origin(), writes, (WORK,), Mark("billing", 1), (LETTER,)))
    assert await store.backlog("dispatch") == []
    assert await store.checkpoint("billing") == Checkpoint(0)
    assert await store.dead_letters() == []


async def test_a_mark_keeps_what_was_handled_beyond_the_watermark(store: AnyStore) -> None:
    """Law 4."""
    await store.append(Append(origin(), mark=Mark("billing", 2, (4, 6))))
    await store.append(Append(origin(), mark=Mark("billing", 4, (7,))))
    assert await store.checkpoint("billing") == Checkpoint(4, frozenset({6, 7}))


async def test_a_watermark_never_goes_back(store: AnyStore) -> None:
    """Law 4."""
    await store.append(Append(origin(), mark=Mark("billing", 9)))
    await store.append(Append(origin(), mark=Mark("billing", 0, (12,))))
    assert await store.checkpoint("billing") == Checkpoint(9, frozenset({12}))


async def test_each_consumer_has_its_own_mark(store: AnyStore) -> None:
    """Law 4."""
    await asyncio.gather(
        *(store.append(Append(origin(), mark=Mark(f"c{n}", n))) for n in range(1, 6))
    )
    assert [(await store.checkpoint(f"c{n}")).watermark for n in range(1, 6)] == [1, 2, 3, 4, 5]


async def test_a_redriven_dead_letter_goes_with_what_it_brought_about(
    store: AnyStore,
) -> None:
    """Law 4."""
    await store.append(Append(origin(), dead_letters=(LETTER,)))
    writes = (StreamWrite(job_id(1), 0, (accepted(1),)),)
    await store.append(Append(origin(), writes, redriven=(LETTER,)))
    assert await store.dead_letters("billing") == []
    assert await store.head() == 1


async def test_credit_comes_back_with_its_entries_and_the_balance(store: AnyStore) -> None:
    """Law 5."""
    await write(store, "crd_1", credited("crd_1", 100))
    (recorded,) = await write(store, "crd_2", credited("crd_2", 5))
    assert isinstance(recorded.event, CreditGranted)
    assert recorded.event.balance_picodollars == 105
    assert {e.account: e.picodollars for e in recorded.event.entries} == {
        "purchased": 5,
        "funding": -5,
    }
    assert (await store.read_stream("crd_2"))[0] == recorded


async def test_a_charge_comes_back_with_its_entries_and_the_balance(
    store: AnyStore,
) -> None:
    """Law 5."""
    await write(store, "crd_1", credited("crd_1", 100))
    await write(store, job_id(1), accepted(1, hold=70))
    _, recorded = await complete(store, 30)
    assert isinstance(recorded.event, ChargeRecorded)
    assert recorded.event.balance_picodollars == 70
    assert sum(entry.picodollars for entry in recorded.event.entries) == 0


async def test_a_reader_beside_a_writer_sees_every_position_in_order(
    store: AnyStore,
) -> None:
    """Law 6."""

    async def follow(until: int) -> list[int]:
        seen: list[int] = []
        while len(seen) < until:
            seen += [e.position for e in await store.read_log(len(seen), 7)]
        return seen

    reading = asyncio.create_task(follow(300))
    await asyncio.gather(*(write(store, job_id(n), accepted(n)) for n in range(300)))
    assert await asyncio.wait_for(reading, 20) == list(range(1, 301))


async def test_an_append_can_be_read_as_soon_as_it_is_answered(store: AnyStore) -> None:
    """Law 6."""
    (recorded,) = await write(store, job_id(1), accepted(1))
    assert await store.head() == recorded.position
    assert await store.read_log(recorded.position - 1, 10) == [recorded]


async def test_a_long_stream_is_read_whole(store: AnyStore) -> None:
    """Law 6: however much else was appended since."""
    await write(store, job_id(0), accepted(0))
    for start in range(1, 9000, 500):
        await asyncio.gather(
            *(write(store, job_id(n), accepted(n)) for n in range(start, start + 500)),
        )
    await write(store, job_id(0), cancelled(0), version=1)
    history = await store.read_stream(job_id(0))
    assert [r.version for r in history] == [1, 2]


async def test_the_log_is_read_by_name(store: AnyStore) -> None:
    """Law 6."""
    await write(store, job_id(1), accepted(1), cancelled(1))
    await write(store, job_id(2), accepted(2))
    entries = await store.read_log(0, 10, [JobAccepted.event_name])
    assert [entry.position for entry in entries] == [1, 3]


async def test_a_stored_event_that_no_code_knows_is_shown_as_unreadable(
    store: AnyStore, place: StorePlace
) -> None:
    """Law 6: it is not skipped."""
    await write(store, job_id(1), accepted(1))
    sql = "INSERT INTO stored_events ({columns}) VALUES ('s', 1, 'old.name@9', {state}, 2)"
    columns, state = "originator_id, originator_version, topic, state, ", "x'7b7d'"
    if isinstance(store, PostgresEventStore):
        columns, state = columns + "notification_id", r"'\x7b7d'"
    else:
        columns += "rowid"
    with place.beside() as execute:
        execute(sql.format(columns=columns, state=state))
    _, entry = await store.read_log(0, 10)
    assert isinstance(entry, Unreadable)
    assert (entry.position, entry.event_name, entry.state) == (2, "old.name", b"{}")
