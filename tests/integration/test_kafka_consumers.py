"""Consumers on a real Kafka: what comes twice, goes wrong or moves to another member."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count

import psycopg
import pytest

from adapters.kafka.topics import partition_of
from domain.errors import Conflict, StoreUnavailable, Unavailable
from domain.event import Event, Recorded
from domain.inference.events import JobAccepted
from domain.ports.consumer import NOTHING, Consumer, Outcome, on
from domain.ports.event_store import Append, Unreadable
from tests.support.dying_consumer import GROUP, records_a_credit
from tests.support.kafka_group import KafkaGroup, kafka_group, running, until
from tests.support.services import Broker
from tests.support.stores import ACCOUNT, job_id

Handle = Callable[[Recorded[JobAccepted]], Outcome | Awaitable[Outcome]]
PARTITIONS = 4


@pytest.fixture
async def here(
    kafka_server: Broker, topic_prefix: str, store_url: str
) -> AsyncIterator[KafkaGroup]:
    async with kafka_group(
        kafka_server.bootstrap_servers, topic_prefix, store_url, PARTITIONS
    ) as made:
        yield made


def consumer(handle: Handle, group: str = GROUP) -> Consumer:
    return Consumer(group, (on(JobAccepted, handle),))


def noting(seen: list[int]) -> Handle:
    """Notes the position of what is handled, and records a credit for it."""

    def handle(recorded: Recorded[JobAccepted]) -> Outcome:
        seen.append(recorded.position)
        return records_a_credit(recorded)

    return handle


def refusing(number: int, error: Exception) -> Handle:
    """Cannot handle one job."""

    def handle(recorded: Recorded[JobAccepted]) -> Outcome:
        if recorded.stream == job_id(number):
            raise error
        return records_a_credit(recorded)

    return handle


async def credited_jobs(here: KafkaGroup) -> int:
    """How many jobs had their effect; a wallet would show a doubled one too."""
    return (await here.store.wallet(ACCOUNT)).total


async def credited(here: KafkaGroup, jobs: int) -> None:
    """Returns once so many jobs had their effect."""

    async def reached() -> bool:
        return await credited_jobs(here) >= jobs

    await until(reached)


def jobs_in(partition: int) -> list[int]:
    """Some jobs whose events stand in this partition of their topic."""
    numbers = (n for n in count() if partition_of(job_id(n), PARTITIONS) == partition)
    return [next(numbers) for _ in range(5)]


async def test_what_is_published_is_handled_whenever_it_was(here: KafkaGroup) -> None:
    await here.accept(range(20))
    async with running(here.runner(consumer(records_a_credit))):
        await credited(here, 20)
        await here.accept(range(20, 40))
        await credited(here, 40)


async def test_a_batch_that_is_sent_again_changes_nothing(here: KafkaGroup) -> None:
    seen: list[int] = []
    await here.accept(range(20))
    sent = await here.store.read_log(0, 20)
    async with running(here.runner(consumer(noting(seen)))):
        await credited(here, 20)
        await here.send(sent)
        await here.accept(range(20, 30))
        await here.send(sent)
        await credited(here, 30)
    async with running(here.runner(consumer(noting(seen)))):
        await here.send(sent)
        await here.accept(range(30, 40))
        await credited(here, 40)
    assert len(seen) == len(set(seen)) == 40
    assert await credited_jobs(here) == 40


async def test_a_restart_goes_on_behind_what_was_handled(here: KafkaGroup) -> None:
    seen: list[int] = []
    await here.accept(range(20))
    async with running(here.runner(consumer(noting(seen)))):
        await credited(here, 20)
    async with running(here.runner(consumer(noting(seen)))):
        await here.accept(range(20, 25))
        await credited(here, 25)
    assert len(seen) == 25


async def test_two_groups_handle_the_same_events(here: KafkaGroup) -> None:
    first: list[int] = []
    second: list[int] = []
    one, other = (
        here.runner(consumer(noting(first))),
        here.runner(consumer(noting(second), "other")),
    )
    async with running(one, other):
        await here.accept(range(10))
        await until(lambda: len(first) == len(second) == 10)
    assert await credited_jobs(here) == 10


async def test_one_killed_between_its_record_and_its_commit_loses_and_doubles_nothing(
    here: KafkaGroup, kafka_server: Broker, store_url: str
) -> None:
    await here.accept(range(60))
    dying = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.dying_consumer",
        kafka_server.bootstrap_servers,
        here.topics.prefix,
        store_url,
        "25",
    )
    assert await asyncio.wait_for(dying.wait(), 60) == -9
    before = await credited_jobs(here)
    assert before >= 25
    seen: list[int] = []
    async with running(here.runner(consumer(noting(seen)))):
        await credited(here, 60)
    assert await credited_jobs(here) == 60
    assert len(seen) == 60 - before


async def test_members_that_come_and_go_under_load_lose_and_double_nothing(
    here: KafkaGroup,
) -> None:
    seen: list[int] = []
    table = consumer(noting(seen))
    total = 3_000

    async def load() -> None:
        for start in range(0, total, 50):
            await here.accept(range(start, start + 50))
            await asyncio.sleep(0.05)

    loading = asyncio.create_task(load())
    first, second, third = (here.runner(table) for _ in range(3))
    async with running(first):
        await credited(here, 100)
        async with running(second):
            await until(lambda: len(second.partitions) > 0 and len(first.partitions) > 0)
            async with running(third):
                await until(lambda: len(third.partitions) > 0)
                await credited(here, total // 2)
        await loading
        await credited(here, total)
    assert await credited_jobs(here) == total
    assert sorted(seen) == sorted(set(seen))
    for number in range(0, total, 100):
        assert len(await here.store.read_stream(f"crd_{job_id(number)}")) == 1
    assert await here.store.dead_letters() == []


async def test_a_rebalance_waits_for_the_events_in_hand(here: KafkaGroup) -> None:
    seen: list[int] = []

    async def handle(recorded: Recorded[JobAccepted]) -> Outcome:
        seen.append(recorded.position)
        await asyncio.sleep(0.5)
        return records_a_credit(recorded)

    first, second = here.runner(consumer(handle)), here.runner(consumer(handle))
    await here.accept(range(400))
    async with running(first):
        await until(lambda: len(seen) > 0)
        async with running(second):
            await until(lambda: len(second.partitions) > 0)
            await credited(here, 400)
    assert sorted(seen) == list(range(1, 401))


class Broken:
    """A store that fails in a way that nobody foresaw."""

    def __init__(self, here: KafkaGroup) -> None:
        self._store, self.failures = here.store, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def append(self, append: Append) -> tuple[Recorded[Event], ...]:
        if self.failures < 2:
            self.failures += 1
            raise RuntimeError("nobody foresaw this")
        return await self._store.append(append)


async def test_a_consumer_that_breaks_tries_again_and_ends_no_other(here: KafkaGroup) -> None:
    seen: list[int] = []
    store = Broken(here)
    breaking = here.runner(consumer(records_a_credit), store)  # type: ignore[arg-type]
    async with running(breaking, here.runner(consumer(noting(seen), "other"))):
        await here.accept(range(10))
        await until(lambda: len(seen) == 10)
        await until(lambda: store.failures == 2 and breaking.lag == 0)
    assert await credited_jobs(here) == 10
    assert await here.store.dead_letters() == []


@pytest.mark.parametrize("error", [StoreUnavailable("away"), Unavailable("later")])
async def test_what_a_later_try_can_mend_holds_up_its_own_partition_alone(
    here: KafkaGroup, error: Exception
) -> None:
    held_up, free = jobs_in(0), jobs_in(1)
    mended = asyncio.Event()

    async def handle(recorded: Recorded[JobAccepted]) -> Outcome:
        if recorded.stream == job_id(held_up[1]) and not mended.is_set():
            raise error
        return records_a_credit(recorded)

    await here.accept([*held_up, *free])
    async with running(here.runner(consumer(handle))):
        await credited(here, len(free))
        await here.accept([n + 1_000_000 for n in free])
        await asyncio.sleep(0.5)
        assert await here.store.read_stream(f"crd_{job_id(held_up[1])}") == ()
        mended.set()
        await credited(here, len(held_up) + 2 * len(free))
    assert await here.store.dead_letters() == []
    assert await credited_jobs(here) == len(held_up) + 2 * len(free)


async def test_a_poison_record_is_set_aside_with_its_position_and_the_rest_goes_on(
    here: KafkaGroup,
) -> None:
    async with running(here.runner(consumer(refusing(3, RuntimeError("cannot be handled"))))):
        await here.accept(range(10))
        await credited(here, 9)
        await until(lambda: _letters(here, 1))
    (letter,) = await here.store.dead_letters(GROUP)
    (position,) = [r.position for r in await here.store.read_stream(job_id(3))]
    (record,) = await here.records(here.topics.dead_letters)
    headers = dict(record.headers)
    assert letter.position == position
    assert (record.key, headers["ce_position"]) == (job_id(3).encode(), b"%d" % position)
    assert headers["gatewayz_group"] == GROUP.encode()
    assert b"cannot be handled" in headers["gatewayz_error"]
    assert job_id(3).encode() in record.value


async def _letters(here: KafkaGroup, number: int) -> bool:
    return len(await here.store.dead_letters(GROUP)) >= number


async def test_an_event_that_cannot_be_read_is_set_aside_with_its_bytes(here: KafkaGroup) -> None:
    await here.accept(range(3))
    unreadable = Unreadable(4, "s", "old.name", b'{"kept": 1}', "")
    await here.send_to("inference.standard", unreadable)
    async with running(here.runner(consumer(records_a_credit))):
        await credited(here, 3)
        await until(lambda: _letters(here, 1))
    (letter,) = await here.store.dead_letters(GROUP)
    (record,) = await here.records(here.topics.dead_letters)
    assert (letter.position, letter.event_name) == (4, "old.name")
    assert record.value == b'{"kept": 1}'


async def test_what_is_no_event_at_all_is_set_aside_and_the_rest_goes_on(here: KafkaGroup) -> None:
    topic = here.topics.name("inference.standard")
    stray = {"key": b"stray", "value": b"\xff\x00", "headers": [("x", b"\xff")]}
    await here.producer.send_and_wait(topic, partition=0, **stray)
    async with running(here.runner(consumer(records_a_credit))):
        await here.accept(jobs_in(0))
        await credited(here, 5)
    (record,) = await here.records(here.topics.dead_letters)
    assert (record.key, record.value) == (b"stray", b"\xff\x00")
    assert ("x", b"\xff") in record.headers


async def test_a_redriven_dead_letter_brings_about_what_it_should_have(here: KafkaGroup) -> None:
    broken = here.runner(consumer(refusing(1, RuntimeError("broken"))))
    async with running(broken):
        await here.accept(range(3))
        await credited(here, 2)
        await until(lambda: _letters(here, 1))
    (letter,) = await here.store.dead_letters(GROUP)
    with pytest.raises(Conflict):
        await broken.redrive(letter)
    await here.runner(consumer(records_a_credit)).redrive(letter)
    assert await credited_jobs(here) == 3
    assert await here.store.dead_letters(GROUP) == []


async def test_an_offset_that_runs_ahead_of_the_store_is_not_believed(
    here: KafkaGroup, store_url: str
) -> None:
    seen: list[int] = []
    await here.accept(range(40))
    handled: list[int] = []

    def passes_over(recorded: Recorded[JobAccepted]) -> Outcome:
        handled.append(recorded.position)
        return NOTHING

    async with running(here.runner(consumer(passes_over))):
        await until(lambda: len(handled) == 40)
    with psycopg.connect(store_url, autocommit=True) as beside:
        beside.execute("DELETE FROM checkpoints")
    async with running(here.runner(consumer(noting(seen)))):
        await here.accept(range(40, 50))
        await credited(here, 50)
    assert len(seen) == 50


async def test_the_lag_is_what_is_not_handled(here: KafkaGroup) -> None:
    let_go = asyncio.Event()

    async def handle(recorded: Recorded[JobAccepted]) -> Outcome:
        await let_go.wait()
        return records_a_credit(recorded)

    subject = here.runner(consumer(handle))
    await here.accept(range(20))
    async with running(subject):
        await until(lambda: subject.lag == 20)
        let_go.set()
        await until(lambda: subject.lag == 0)
    assert subject.lag == 0
