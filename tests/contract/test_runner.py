"""What the runner promises to every consumer (house rules, section 3), on the embedded log."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.sqlite.event_store import SqliteEventStore
from adapters.store.handling import BATCH
from adapters.store.runner import Runner
from adapters.system.clock import SystemClock
from domain.errors import Conflict, StoreUnavailable, Unavailable
from domain.event import Event, Recorded
from domain.inference.events import JobAccepted, JobCancelled
from domain.ports.consumer import NOTHING, Consumer, Outcome, on
from domain.ports.event_store import Append, Checkpoint, Mark, StreamWrite
from tests.support.stores import (
    accepted,
    cancelled,
    credited,
    job_id,
    opened_store,
    origin,
    write,
)

Handle = Callable[[Recorded[JobAccepted]], Outcome | Awaitable[Outcome]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteEventStore]:
    async with opened_store(path) as opened:
        yield opened


def runner(store: SqliteEventStore, handle: Handle, group: str = "test") -> Runner:
    consumer = Consumer(group, (on(JobAccepted, handle),))
    return Runner(consumer, store.log, store, SystemClock())


@asynccontextmanager
async def following(subject: Runner) -> AsyncIterator[Runner]:
    running = asyncio.create_task(subject.run())
    try:
        yield subject
    finally:
        subject.stop()
        await asyncio.wait_for(running, 20)


async def caught_up(subject: Runner, store: SqliteEventStore) -> None:
    async with asyncio.timeout(20):
        while subject.position < store.log.head():
            await asyncio.sleep(0.005)


async def fill(store: SqliteEventStore, jobs: int) -> None:
    await asyncio.gather(*(write(store, job_id(n), accepted(n)) for n in range(jobs)))


def seen_by(seen: list[int]) -> Handle:
    def handle(recorded: Recorded[JobAccepted]) -> Outcome:
        seen.append(recorded.position)
        return NOTHING

    return handle


def records_a_credit(recorded: Recorded[Event]) -> Outcome:
    """Starts a stream of its own, so that it shows how often an event was handled."""
    credit = f"crd_{recorded.position}"
    return Outcome((StreamWrite(credit, 0, (credited(credit, 1),)),))


async def test_handlers_that_return_at_once_see_the_log_in_order(store: SqliteEventStore) -> None:
    seen: list[int] = []
    await fill(store, 50)
    async with following(runner(store, seen_by(seen))) as subject:
        await fill_more(store, 50)
        await caught_up(subject, store)
    assert seen == list(range(1, 101))


async def fill_more(store: SqliteEventStore, jobs: int) -> None:
    await asyncio.gather(*(write(store, job_id(n), accepted(n)) for n in range(1000, 1000 + jobs)))


async def test_handlers_that_wait_go_in_order_within_a_stream(store: SqliteEventStore) -> None:
    ended: list[tuple[str, int]] = []

    async def handle(recorded: Recorded[JobAccepted]) -> Outcome:
        await asyncio.sleep(0.01 / recorded.version)  # a later one would be done earlier
        ended.append((recorded.stream, recorded.version))
        return NOTHING

    await write(store, "a", *(accepted(n) for n in range(5)))
    await write(store, "b", *(accepted(n) for n in range(5, 10)))
    async with following(runner(store, handle)) as subject:
        await caught_up(subject, store)
    for stream in ("a", "b"):
        assert [version for name, version in ended if name == stream] == [1, 2, 3, 4, 5]


async def test_handlers_that_wait_go_side_by_side_across_streams(store: SqliteEventStore) -> None:
    meeting = asyncio.Barrier(10)

    async def handle(recorded: Recorded[JobAccepted]) -> Outcome:
        await meeting.wait()  # ends only when all ten are here at once
        return NOTHING

    await fill(store, 10)
    async with following(runner(store, handle)) as subject:
        await caught_up(subject, store)
    assert await store.dead_letters() == []


async def test_an_outcome_is_recorded_with_its_cause(store: SqliteEventStore) -> None:
    (cause,) = await write(store, job_id(1), accepted(1))
    async with following(runner(store, records_a_credit)) as subject:
        await caught_up(subject, store)
    (effect,) = await store.read_stream("crd_1")
    assert (effect.causation_id, effect.correlation_id) == (cause.event_id, cause.correlation_id)
    assert (effect.account_id, effect.actor_id) == (cause.account_id, "test")


async def test_a_restart_goes_on_behind_what_was_handled(store: SqliteEventStore) -> None:
    seen: list[int] = []
    await fill(store, BATCH)
    async with following(runner(store, records_a_credit)) as subject:
        await caught_up(subject, store)
    head = store.log.head()
    async with following(runner(store, seen_by(seen))) as subject:
        await caught_up(subject, store)
    await fill_more(store, 1)
    assert (seen, store.log.head()) == ([], head + 1)


async def test_events_that_bring_nothing_about_are_marked_with_later_ones(
    store: SqliteEventStore,
) -> None:
    async def handle(recorded: Recorded[JobAccepted]) -> Outcome:
        return NOTHING

    await fill(store, 3)
    async with following(runner(store, handle)) as subject:
        await caught_up(subject, store)
        assert await store.checkpoint("test") == Checkpoint(0, frozenset())
        await fill_more(store, 500)
        await caught_up(subject, store)
        assert (await store.checkpoint("test")).watermark > 3


async def test_what_brought_nothing_about_is_not_handled_again_after_a_stop(
    store: SqliteEventStore,
) -> None:
    seen: list[int] = []

    async def handle(recorded: Recorded[JobAccepted]) -> Outcome:
        seen.append(recorded.position)
        return NOTHING

    await fill(store, 3)
    for _ in range(2):
        async with following(runner(store, handle)) as subject:
            await caught_up(subject, store)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("jobs", [1, 400], ids=["quiet", "steady"])
async def test_what_brought_nothing_about_is_marked_soon(
    store: SqliteEventStore, jobs: int
) -> None:
    """Else a crash would have it handled again, when it may bring something about."""
    async with following(runner(store, seen_by([]))), asyncio.timeout(20):
        for number in range(jobs):
            await write(store, job_id(number), accepted(number))
            await asyncio.sleep(0.01)
            if (await store.checkpoint("test")).watermark:
                return
        while not (await store.checkpoint("test")).watermark:
            await asyncio.sleep(0.01)


async def test_what_is_in_the_inbox_is_not_handled_again(store: SqliteEventStore) -> None:
    await fill(store, 3)
    seen: list[int] = []
    await store.append(Append(origin(), mark=Mark("test", 0, (2,))))
    assert await store.checkpoint("test") == Checkpoint(0, frozenset({2}))
    async with following(runner(store, seen_by(seen))) as subject:
        await caught_up(subject, store)
    assert [position for position in seen if position <= 3] == [1, 3]


async def test_an_outcome_that_was_recorded_before_changes_nothing(
    store: SqliteEventStore,
) -> None:
    await fill(store, 3)
    async with following(runner(store, records_a_credit, "first")) as subject:
        await caught_up(subject, store)
    async with following(runner(store, records_a_credit, "second")) as subject:
        await caught_up(subject, store)
    assert (await store.wallet("acct_1")).total == 3
    assert await store.dead_letters() == []


async def test_two_groups_follow_the_log_by_themselves(store: SqliteEventStore) -> None:
    first: list[int] = []
    second: list[int] = []
    await fill(store, 5)
    async with (
        following(runner(store, seen_by(first), "first")) as one,
        following(runner(store, seen_by(second), "second")) as other,
    ):
        await caught_up(one, store)
        await caught_up(other, store)
    assert first == second == [1, 2, 3, 4, 5]


def fails_for(number: int) -> Handle:
    def handle(recorded: Recorded[JobAccepted]) -> Outcome:
        if recorded.event.job_id == job_id(number):
            raise RuntimeError("this one cannot be handled")
        return records_a_credit(recorded)

    return handle


async def fails_while_waiting(recorded: Recorded[JobAccepted]) -> Outcome:
    await asyncio.sleep(0)
    return fails_for(1)(recorded)  # type: ignore[return-value]


@pytest.mark.parametrize("handle", [fails_for(1), fails_while_waiting])
async def test_an_event_that_cannot_be_handled_becomes_a_dead_letter_and_the_rest_goes_on(
    store: SqliteEventStore, handle: Handle
) -> None:
    await fill(store, 3)
    async with following(runner(store, handle)) as subject:
        await caught_up(subject, store)
    (letter,) = await store.dead_letters("test")
    assert (letter.position, letter.event_name) == (2, "inference.job.accepted")
    assert job_id(1).encode() in letter.state
    assert "this one cannot be handled" in letter.error
    assert (await store.wallet("acct_1")).total == 2
    assert (await store.checkpoint("test")).watermark >= 3


async def test_an_event_that_cannot_be_read_is_kept_with_its_bytes(
    store: SqliteEventStore, path: Path
) -> None:
    await fill(store, 1)
    await store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO stored_events VALUES (2, 's', 1, 'old.name@9', x'7b7d')")
    connection.close()
    async with opened_store(path) as again:
        async with following(runner(again, records_a_credit)) as subject:
            await caught_up(subject, again)
        (letter,) = await again.dead_letters("test")
        assert (letter.position, letter.event_name, letter.state) == (2, "old.name", b"{}")


async def test_a_redriven_dead_letter_brings_about_what_it_should_have(
    store: SqliteEventStore,
) -> None:
    await fill(store, 3)
    async with following(runner(store, fails_for(1))) as subject:
        await caught_up(subject, store)
    (letter,) = await store.dead_letters("test")
    await runner(store, records_a_credit).redrive(letter)
    assert await store.dead_letters("test") == []
    assert (await store.wallet("acct_1")).total == 3


async def test_a_dead_letter_that_fails_again_stays(store: SqliteEventStore) -> None:
    await fill(store, 3)
    subject = runner(store, fails_for(1))
    async with following(subject):
        await caught_up(subject, store)
    (letter,) = await store.dead_letters("test")
    with pytest.raises(Conflict, match="cannot be handled"):
        await subject.redrive(letter)
    assert await store.dead_letters("test") == [letter]


@pytest.mark.parametrize("failure", [StoreUnavailable("away"), Unavailable("away")])
async def test_what_a_later_try_can_mend_is_tried_again(
    store: SqliteEventStore, failure: Exception
) -> None:
    failures = [failure, failure]

    def handle(recorded: Recorded[JobAccepted]) -> Outcome:
        if failures:
            raise failures.pop()
        return records_a_credit(recorded)

    await fill(store, 3)
    async with following(runner(store, handle)) as subject:
        await caught_up(subject, store)
    assert (await store.wallet("acct_1")).total == 3
    assert await store.dead_letters() == []


async def test_stopping_waits_for_the_batch_in_hand(store: SqliteEventStore) -> None:
    begun, leave = asyncio.Event(), asyncio.Event()

    async def handle(recorded: Recorded[JobAccepted]) -> Outcome:
        begun.set()
        await leave.wait()
        return records_a_credit(recorded)

    await fill(store, 1)
    subject = runner(store, handle)
    running = asyncio.create_task(subject.run())
    await begun.wait()
    subject.stop()
    leave.set()
    await asyncio.wait_for(running, 20)
    assert (await store.wallet("acct_1")).total == 1
    assert (await store.checkpoint("test")).watermark == 1


async def test_events_of_other_types_are_passed_over(store: SqliteEventStore) -> None:
    seen: list[int] = []
    await fill(store, 1)
    await write(store, job_id(0), cancelled(0), version=1)
    await write(store, job_id(7), accepted(7))
    async with following(runner(store, seen_by(seen))) as subject:
        await caught_up(subject, store)
    assert seen == [1, 3]


async def test_each_type_has_its_own_handler(store: SqliteEventStore) -> None:
    seen: list[tuple[str, str]] = []

    def noting(name: str) -> Callable[[Recorded[Event]], Outcome]:
        def handle(recorded: Recorded[Event]) -> Outcome:
            seen.append((name, recorded.event.event_name))
            return NOTHING

        return handle

    routes = (on(JobAccepted, noting("accepted")), on(JobCancelled, noting("cancelled")))
    subject = Runner(Consumer("test", routes), store.log, store, SystemClock())
    await write(store, job_id(1), accepted(1), cancelled(1))
    async with following(subject):
        await caught_up(subject, store)
    assert seen == [
        ("accepted", "inference.job.accepted"),
        ("cancelled", "inference.job.cancelled"),
    ]


async def test_what_somebody_else_started_does_not_take_the_rest_of_an_outcome_with_it(
    store: SqliteEventStore,
) -> None:
    def starts_two(recorded: Recorded[JobAccepted]) -> Outcome:
        names = (f"crd_{recorded.position}", f"crd_other_{recorded.position}")
        return Outcome(tuple(StreamWrite(name, 0, (credited(name, 1),)) for name in names))

    await fill(store, 1)
    position = await store.head()
    await write(store, f"crd_{position}", credited(f"crd_{position}", 1))
    async with following(runner(store, starts_two)) as subject:
        await caught_up(subject, store)
    assert len(await store.read_stream(f"crd_other_{position}")) == 1
    assert await store.dead_letters() == []
