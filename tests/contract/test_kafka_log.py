"""The laws of `domain/ports/log.py`, held by the log on Kafka."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.kafka.admin import TopicLayout, ensure_topics
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.merged_log import KEPT, READ_AHEAD, KafkaLog
from adapters.kafka.topics import Topics
from tests.support.relay import (
    CODEC,
    MemoryLog,
    publish_all,
    running_relay,
    until_saved,
)
from tests.support.services import Broker


class Cluster:
    """A log of jobs that a relay publishes, and the same log as Kafka has it."""

    def __init__(self, connection: KafkaConnection, topics: Topics) -> None:
        self.connection, self.topics = connection, topics
        self.source = MemoryLog()

    async def fill(self, events: int) -> None:
        """An even number of events."""
        await self.source.append_jobs(events // 2, first=len(self.source.stored) // 2)
        await publish_all(self.connection, self.topics, self.source)

    @asynccontextmanager
    async def opened(self, after: int = 0) -> AsyncIterator[KafkaLog]:
        log = KafkaLog(self.connection, self.topics, CODEC)
        await log.start(after)
        try:
            yield log
        finally:
            await log.close()


@pytest.fixture
def cluster(kafka_server: Broker, topic_prefix: str) -> Cluster:
    connection, topics = KafkaConnection(kafka_server.bootstrap_servers), Topics(topic_prefix)
    ensure_topics(connection, topics, TopicLayout(4, 1))
    return Cluster(connection, topics)


async def read_all(log: KafkaLog, after: int, end: int, limit: int = 1_000) -> list[int]:
    """The positions that reading gives, up to `end`."""
    positions: list[int] = []
    async with asyncio.timeout(30):
        while after < end:
            page = await log.read(after, limit)
            assert len(page) <= limit
            positions += [entry.position for entry in page]
            if page:
                after = page[-1].position
            else:
                await log.wait(after)
    return positions


@pytest.mark.parametrize("limit", [1, 7, 1000])
async def test_entries_come_in_order_without_a_gap(cluster: Cluster, limit: int) -> None:
    """Law 1."""
    await cluster.fill(50)
    async with cluster.opened() as log:
        assert await read_all(log, 0, 50, limit) == list(range(1, 51))


async def test_entries_are_what_was_recorded(cluster: Cluster) -> None:
    """Law 1."""
    await cluster.fill(4)
    async with cluster.opened() as log:
        await log.wait(3)
        stored = cluster.source.stored
        assert await log.read(0, 9) == [
            CODEC.entry(row.position, row.stream, row.version, row.topic, row.state)
            for row in stored
        ]


async def test_a_reader_far_behind_gets_what_is_no_longer_in_memory(cluster: Cluster) -> None:
    """Law 1."""
    events = 4 * KEPT + READ_AHEAD
    await cluster.fill(events)
    async with cluster.opened() as log:
        assert await read_all(log, 0, events) == list(range(1, events + 1))
        assert await read_all(log, 0, events) == list(range(1, events + 1))


async def test_a_slow_reader_keeps_the_log_from_reading_far_ahead(cluster: Cluster) -> None:
    """Law 1."""
    events = 4 * READ_AHEAD
    await cluster.fill(events)
    async with cluster.opened() as log:
        await log.wait(READ_AHEAD - 1)
        await asyncio.sleep(0.3)
        assert len(log._recent) < 2 * READ_AHEAD
        assert log.head() == events
        assert await read_all(log, 0, events) == list(range(1, events + 1))


async def test_a_log_that_is_followed_from_a_position_can_be_read_from_before_it(
    cluster: Cluster,
) -> None:
    """Law 1."""
    await cluster.fill(20)
    async with cluster.opened(after=10) as log:
        assert await read_all(log, 10, 20) == list(range(11, 21))
        assert await read_all(log, 3, 20) == list(range(4, 21))


async def test_there_is_nothing_beyond_the_head(cluster: Cluster) -> None:
    """Law 1."""
    await cluster.fill(4)
    async with cluster.opened() as log:
        await log.wait(3)
        assert await log.read(4, 10) == ()
        assert await log.read(99, 10) == ()
        assert log.head() == 4


async def test_waiting_ends_with_the_append(cluster: Cluster) -> None:
    """Law 2."""
    async with cluster.opened() as log:
        waiters = [asyncio.create_task(log.wait(0)) for _ in range(3)]
        await asyncio.sleep(0.2)
        assert not any(waiter.done() for waiter in waiters)
        await cluster.fill(2)
        await asyncio.wait_for(asyncio.gather(*waiters), 10)


async def test_waiting_goes_on_until_the_position_is_passed(cluster: Cluster) -> None:
    """Law 2."""
    async with cluster.opened() as log:
        waiting = asyncio.create_task(log.wait(2))
        await cluster.fill(2)
        await log.wait(1)
        assert not waiting.done()
        await cluster.fill(2)
        await asyncio.wait_for(waiting, 10)


async def test_a_waiter_that_gave_up_disturbs_nobody(cluster: Cluster) -> None:
    """Law 2."""
    async with cluster.opened() as log:
        leaving, staying = (asyncio.create_task(log.wait(0)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        await cluster.fill(2)
        await asyncio.wait_for(staying, 10)


async def test_an_event_arrives_soon_after_it_was_recorded(cluster: Cluster) -> None:
    """Law 2: woken by what arrives, not by a clock."""
    await cluster.fill(2)
    async with (
        running_relay(cluster.connection, cluster.topics, cluster.source),
        cluster.opened() as log,
    ):
        await log.wait(1)
        took = []
        for job in range(1, 21):
            began = asyncio.get_running_loop().time()
            await cluster.source.append_jobs(1, first=job)
            await log.wait(2 * job + 1)
            took.append(asyncio.get_running_loop().time() - began)
            await until_saved(cluster.source)
    assert sorted(took)[len(took) // 2] < 0.1


async def test_one_entry_is_found_by_its_position(cluster: Cluster) -> None:
    await cluster.fill(6)
    async with cluster.opened(after=4) as log:
        await log.wait(5)
        for position in (6, 1):
            assert (await log.at(position)).position == position


@pytest.mark.parametrize("position", [3, 99])
async def test_there_is_no_entry_at_a_position_not_reached(cluster: Cluster, position: int) -> None:
    await cluster.fill(2)
    async with cluster.opened() as log:
        await log.wait(1)
        with pytest.raises(LookupError):
            await log.at(position)
