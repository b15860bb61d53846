"""Reading the log back from a real Kafka: from anywhere, in bounded memory, and no gap unseen."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from kafka import TopicPartition as AdminPartition
from kafka.admin import KafkaAdminClient

from adapters.kafka.admin import TopicLayout, ensure_topics
from adapters.kafka.connection import KafkaConnection, KafkaUnavailable
from adapters.kafka.cursor import FETCH_RECORDS, MAX_HELD, MergedCursor, opened_cursor
from adapters.kafka.merged_log import KafkaLog, KafkaStoredLog
from adapters.kafka.probing import NEAR, bounds, offsets_after, opened_consumer
from adapters.kafka.records import RELAYED_AT_ONCE, position_of
from adapters.kafka.topics import Topics
from domain.ports.event_store import Unreadable
from domain.ports.stored_rows import StoredRow
from infra.local.services import LocalKafka
from tests.support.relay import (
    CODEC,
    PATIENCE_SECONDS,
    MemoryLog,
    publish_all,
    published,
    raw_producer,
    send_rows,
)
from tests.support.services import Broker, need_local_kafka

PARTITIONS = 2
GAP_SECONDS = 0.3


@pytest.fixture
def connection(kafka_server: Broker) -> KafkaConnection:
    return KafkaConnection(kafka_server.bootstrap_servers)


@pytest.fixture
def topics(connection: KafkaConnection, topic_prefix: str) -> Topics:
    topics = Topics(topic_prefix)
    ensure_topics(connection, topics, TopicLayout(PARTITIONS, 1))
    return topics


@pytest.fixture
def own_kafka(server_folder: Path) -> Iterator[LocalKafka]:
    need_local_kafka()
    with LocalKafka(server_folder / "kafka") as server:
        yield server


def row(position: int) -> StoredRow:
    """An event that says nothing but its place."""
    return StoredRow(position, f"stream_{position}", 1, "access.account.opened@1", b"{}")


def rows(*positions: int) -> list[StoredRow]:
    return [row(position) for position in positions]


async def taken(cursor: MergedCursor, end: int) -> list[int]:
    """The positions that are handed out, to `end`."""
    positions: list[int] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not positions or positions[-1] < end:
            positions += [position_of(record) for record in await cursor.take(1_000, 50)]
    return positions


async def until_read(log: KafkaStoredLog, after: int) -> None:
    """Waits for an event after this position."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await log.read_log(after, 10):
            await asyncio.sleep(0.02)


async def until_problem(log: KafkaLog, *, is_there: bool) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (log.problem is not None) != is_there:
            await asyncio.sleep(0.02)


async def test_reading_begins_anywhere_and_near_where_it_should(
    connection: KafkaConnection, topics: Topics
) -> None:
    log, events = MemoryLog(), 8_000
    await log.append_jobs(events // 2)
    await publish_all(connection, topics, log)
    there = await published(connection, topics)
    async with opened_consumer(connection, topics.log) as consumer:
        for after in (0, 1, 777, 4_000, events - 1, events, events + 50):
            offsets = await offsets_after(consumer, after)
            for place, begin in offsets.items():
                found = [one.position for one in there.get(place, [])]
                skipped, read = found[:begin], found[begin:]
                assert all(position <= after for position in skipped)
                assert sum(position <= after for position in read) <= NEAR
    for after in (0, 3_999, events - 1):
        async with opened_cursor(connection, topics.log, after) as cursor:
            assert await taken(cursor, events) == list(range(after + 1, events + 1))


async def test_a_cursor_can_move_back_and_forth(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append_jobs(1_000)
    await publish_all(connection, topics, log)
    async with opened_cursor(connection, topics.log, 1_500) as cursor:
        assert await taken(cursor, 2_000) == list(range(1_501, 2_001))
        await cursor.move(100)
        assert (await taken(cursor, 2_000))[:3] == [101, 102, 103]
        await cursor.move(1_998)
        assert await taken(cursor, 2_000) == [1_999, 2_000]


async def test_what_was_sent_twice_is_handed_out_once(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append_jobs(1_000)
    await publish_all(connection, topics, log)
    log.saved = 700
    await log.append_jobs(100, first=1_000)
    await publish_all(connection, topics, log)
    for after in (0, 650, 1_300, 2_000):
        async with opened_cursor(connection, topics.log, after) as cursor:
            assert await taken(cursor, 2_200) == list(range(after + 1, 2_201))


async def test_a_late_duplicate_that_misleads_the_search_costs_no_event(
    connection: KafkaConnection, topics: Topics
) -> None:
    """A batch of a broken relay arrives behind the later ones of its successor."""
    end, after, place = 6_000, 1_600, TopicPartition(topics.name("access"), 0)
    late = [*range(2, 1_001, 2)] * 2
    async with raw_producer(connection) as producer:
        await send_rows(producer, place.topic, 0, rows(*range(2, 2_001, 2), *late))
        await send_rows(producer, place.topic, 0, rows(*range(2_002, end + 1, 2)))
        await send_rows(producer, place.topic, 1, rows(*range(1, end + 1, 2)))
    async with opened_consumer(connection, topics.log) as consumer:
        assert (await offsets_after(consumer, after))[place] >= 1_000
    async with opened_cursor(connection, topics.log, after, GAP_SECONDS) as cursor:
        assert await taken(cursor, end) == list(range(after + 1, end + 1))
        assert cursor.gap is None


async def test_old_records_at_the_end_cost_no_event_while_nothing_follows(
    connection: KafkaConnection, topics: Topics
) -> None:
    """As above, but nothing new comes that would show the gap to be overdue."""
    end, after, place = 1_000, 800, TopicPartition(topics.name("access"), 0)
    async with raw_producer(connection) as producer:
        await send_rows(producer, place.topic, 0, rows(*range(2, end + 1, 2), *range(2, 101, 2)))
        await send_rows(producer, place.topic, 1, rows(*range(1, end + 1, 2)))
    async with opened_consumer(connection, topics.log) as consumer:
        assert (await offsets_after(consumer, after))[place] >= end // 2
    async with opened_cursor(connection, topics.log, after, GAP_SECONDS) as cursor:
        assert await taken(cursor, end) == list(range(after + 1, end + 1))
        assert cursor.gap is None


async def test_a_gap_that_may_still_close_is_told_and_waited_for(
    connection: KafkaConnection, topics: Topics
) -> None:
    async with (
        raw_producer(connection) as producer,
        opened_cursor(connection, topics.log, 0, GAP_SECONDS) as cursor,
    ):
        await send_rows(producer, topics.name("access"), 0, rows(1, 2, 4))
        assert await taken(cursor, 2) == [1, 2]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while cursor.gap is None:
                assert await cursor.take(10, 50) == []
        assert (cursor.gap.position, cursor.gap.is_lost) == (3, False)
        await send_rows(producer, topics.name("access"), 1, rows(3))
        assert await taken(cursor, 4) == [3, 4]
        assert cursor.gap is None


async def test_an_event_that_kafka_has_lost_is_told_and_not_skipped(
    connection: KafkaConnection, topics: Topics
) -> None:
    positions = [one for one in range(1, 3 + RELAYED_AT_ONCE) if one != 2]
    async with raw_producer(connection) as producer:
        await send_rows(producer, topics.name("access"), 0, rows(*positions))
    log = KafkaLog(connection, topics, CODEC, GAP_SECONDS)
    await log.start(0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while log.gap is None or not log.gap.is_lost:
            await asyncio.sleep(0.02)
    assert log.problem == "position 2 is in none of the topics, though later ones are"
    assert [entry.position for entry in await log.read(0, 10)] == [1]
    await log.close()
    stored = KafkaStoredLog(connection, topics, CODEC, GAP_SECONDS)
    assert len(await stored.read_log(0, 1)) == 1
    with pytest.raises(KafkaUnavailable, match="position 2 is in none of the topics"):
        await until_read(stored, after=1)
    await stored.close()


async def test_a_topic_that_was_cut_off_at_its_beginning_is_told(
    connection: KafkaConnection, topics: Topics
) -> None:
    async with raw_producer(connection) as producer:
        await send_rows(producer, topics.name("access"), 0, rows(*range(1, 2 * RELAYED_AT_ONCE)))

    def cut() -> None:
        with closing(KafkaAdminClient(**connection.for_kafka_python())) as client:
            client.delete_records({AdminPartition(topics.name("access"), 0): 50})

    await asyncio.to_thread(cut)
    async with opened_cursor(connection, topics.log, 0, GAP_SECONDS) as cursor:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while cursor.gap is None or not cursor.gap.is_lost:
                assert await cursor.take(10, 50) == []
        assert cursor.gap.position == 1
        await cursor.move(50)
        assert (await cursor.take(10, 1_000))[0].offset == 50


async def test_memory_is_bounded_when_one_partition_is_far_behind(
    connection: KafkaConnection, topics: Topics
) -> None:
    ahead = 2 * MAX_HELD
    async with raw_producer(connection) as producer:
        for start in range(2, ahead + 1, 5_000):
            positions = range(start, min(start + 5_000, ahead + 1))
            await send_rows(producer, topics.name("access"), 0, rows(*positions))
    most = 0
    async with (
        raw_producer(connection) as producer,
        opened_cursor(connection, topics.log, 0) as cursor,
    ):
        for _ in range(40):
            assert await cursor.take(1_000, 50) == []
            most = max(most, cursor.held)
        assert MAX_HELD <= most < MAX_HELD + FETCH_RECORDS
        await send_rows(producer, topics.name("billing"), 1, rows(1))
        assert await taken(cursor, ahead) == list(range(1, ahead + 1))


async def test_a_record_that_is_no_event_is_passed_over(
    connection: KafkaConnection, topics: Topics
) -> None:
    place = TopicPartition(topics.name("access"), 0)
    async with raw_producer(connection) as producer:
        await producer.send_and_wait(place.topic, b"hello", b"stranger", place.partition)
        await send_rows(producer, place.topic, place.partition, rows(1, 2))
    async with opened_cursor(connection, topics.log, 0) as cursor:
        assert await taken(cursor, 2) == [1, 2]


async def test_a_record_at_an_events_place_that_is_none_is_unreadable(
    connection: KafkaConnection, topics: Topics
) -> None:
    place = (topics.name("access"), b"hello", b"stranger", 0, None, [("ce_position", b"1")])
    async with raw_producer(connection) as producer:
        await producer.send_and_wait(*place)
        await send_rows(producer, topics.name("access"), 0, rows(2))
    log = KafkaStoredLog(connection, topics, CODEC)
    first, second = await log.read_log(0, 10)
    assert isinstance(first, Unreadable)
    assert (first.position, first.stream, first.state) == (1, "stranger", b"hello")
    assert second.position == 2
    await log.close()


async def test_a_stored_log_is_read_to_its_end(connection: KafkaConnection, topics: Topics) -> None:
    source, log = MemoryLog(), KafkaStoredLog(connection, topics, CODEC)
    assert await log.head() == 0
    assert await log.read_log(0, 10) == []
    await source.append_jobs(600)
    await publish_all(connection, topics, source)
    assert await log.head() == 1_200
    read = await log.read_log(0, 1_000)
    read = [*read, *await log.read_log(1_000, 1_000)]
    assert [entry.position for entry in read] == list(range(1, 1_201))
    assert await log.read_log(1_200, 1_000) == []
    assert [one.position for one in await log.read_log(500, 2)] == [501, 502]
    await source.append_jobs(1, first=600)
    await publish_all(connection, topics, source)
    assert await log.head() == 1_202
    await log.close()


async def test_the_log_goes_on_after_kafka_was_away(own_kafka: LocalKafka) -> None:
    connection, topics, source = (
        KafkaConnection(own_kafka.bootstrap_servers),
        Topics("t"),
        MemoryLog(),
    )
    await asyncio.to_thread(ensure_topics, connection, topics, TopicLayout(PARTITIONS, 1))
    await source.append_jobs(100)
    await publish_all(connection, topics, source)
    log = KafkaLog(connection, topics, CODEC)
    await log.start(0)
    await log.wait(199)
    await asyncio.to_thread(own_kafka.kill)
    stored = KafkaStoredLog(connection, topics, CODEC)
    with pytest.raises(KafkaUnavailable):
        await stored.head()
    assert len(await log.read(0, 500)) == 200
    await until_problem(log, is_there=True)
    await asyncio.to_thread(own_kafka.start)
    await source.append_jobs(100, first=100)
    await publish_all(connection, topics, source)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await log.wait(399)
    assert [entry.position for entry in await log.read(0, 500)] == list(range(1, 401))
    await until_problem(log, is_there=False)
    await log.close()
    await stored.close()


async def test_the_ends_of_partitions_are_known(
    connection: KafkaConnection, topics: Topics
) -> None:
    async with raw_producer(connection) as producer:
        await send_rows(producer, topics.name("access"), 0, rows(1, 2, 3))
    async with opened_consumer(connection, topics.log) as consumer:
        edges = await bounds(consumer)
    assert len(edges) == PARTITIONS * len(topics.log)
    assert edges[TopicPartition(topics.name("access"), 0)] == (0, 3)
    assert edges[TopicPartition(topics.name("access"), 1)] == (0, 0)
