"""The relay against a real Kafka: everything arrives, in order, whatever fails on the way."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from adapters.kafka.admin import TopicLayout, ensure_topics
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.records import RELAYED_AT_ONCE
from adapters.kafka.relay import Relay
from adapters.kafka.takeover import RelayRefused
from adapters.kafka.topics import Topics, partition_of
from domain.access.events import AccountOpened
from domain.event import Event
from infra.local.services import LocalKafka
from tests.support.relay import (
    PATIENCE_SECONDS,
    MemoryLog,
    Published,
    publish_all,
    published,
    raw_producer,
    running_relay,
    send_rows,
    until_saved,
)
from tests.support.samples import sample
from tests.support.services import Broker, need_local_kafka
from tests.support.stores import accepted, cancelled, credited, job_id

PARTITIONS = 3


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
    """A broker that the test may stop."""
    need_local_kafka()
    with LocalKafka(server_folder / "kafka") as server:
        yield server


def account(name: str = "Acme") -> Event:
    return replace(sample(AccountOpened), name=name)  # type: ignore[type-var]


async def problem_of(relay: Relay) -> str:
    """What the relay complains of, once it does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (problem := relay.problem) is None:
            await asyncio.sleep(0.01)
    return problem


def positions(rows: Published) -> list[int]:
    return sorted(row.position for found in rows.values() for row in found)


def assert_in_order(rows: Published) -> None:
    """Within a partition the first of each position comes in rising order."""
    for found in rows.values():
        firsts = list(dict.fromkeys(row.position for row in found))
        assert firsts == sorted(firsts)


async def test_every_event_is_published_once_to_its_topic_byte_for_byte(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append("acct_1", account())
    await log.append_jobs(50)
    await log.append("crd_1", credited("crd_1", 5))
    await publish_all(connection, topics, log)
    rows = await published(connection, topics)
    assert sorted((row for found in rows.values() for row in found), key=lambda r: r.position) == (
        log.stored
    )
    assert_in_order(rows)
    for place, found in rows.items():
        assert {partition_of(row.stream, PARTITIONS) for row in found} == {place.partition}
    by_topic = {place.topic for place in rows}
    assert by_topic == {topics.name(one) for one in ("access", "inference.standard", "billing")}


async def test_all_events_of_a_job_follow_its_lane_after_a_restart_too(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append(job_id(1), accepted(1))
    await publish_all(connection, topics, log)
    await log.append(job_id(1), cancelled(1))
    await publish_all(connection, topics, log)
    (place,) = await published(connection, topics)
    assert place.topic == topics.name("inference.standard")
    assert log.asked_for == [job_id(1)]


async def test_a_relay_goes_on_where_the_one_before_it_stopped(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append_jobs(20)
    await publish_all(connection, topics, log)
    await log.append_jobs(20, first=20)
    await publish_all(connection, topics, log)
    assert positions(await published(connection, topics)) == list(range(1, 81))


async def test_what_was_sent_and_not_noted_is_sent_again_in_order(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append_jobs(20)
    await publish_all(connection, topics, log)
    log.saved = 7
    await log.append_jobs(1, first=20)
    await publish_all(connection, topics, log)
    rows = await published(connection, topics)
    assert positions(rows) == sorted([*range(1, 43), *range(8, 41)])
    assert_in_order(rows)


async def test_two_relays_at_once_put_nothing_out_of_order(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append_jobs(2 * RELAYED_AT_ONCE)
    async with running_relay(connection, topics, log), running_relay(connection, topics, log):
        await until_saved(log)
    rows = await published(connection, topics)
    assert set(positions(rows)) == set(range(1, len(log.stored) + 1))
    assert_in_order(rows)


async def test_new_events_are_published_as_they_come(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    async with running_relay(connection, topics, log) as relay:
        for number in range(5):
            await log.append_jobs(1, first=number)
            await until_saved(log)
            assert (relay.position, await relay.lag(), relay.problem) == (2 * number + 2, 0, None)
    assert positions(await published(connection, topics)) == list(range(1, 11))


async def test_what_cannot_be_read_is_published_as_it_is(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append_row("acct_1", "access.account.opened@1", b"\xff no JSON")
    await log.append_row(job_id(1), "inference.job.accepted@1", b"{}")
    await log.append(job_id(1), cancelled(1))
    await publish_all(connection, topics, log)
    rows = await published(connection, topics)
    assert [row for found in rows.values() for row in found if row.stream == "acct_1"] == (
        log.stored[:1]
    )
    (of_the_job,) = [found for found in rows.values() if found[0].stream == job_id(1)]
    assert of_the_job == log.stored[1:]


async def test_an_event_that_no_topic_is_for_is_not_skipped(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append_row("x", "unheard.of.happened@1", b"{}")
    await log.append_jobs(1)
    async with running_relay(connection, topics, log) as relay:
        assert "unheard.of.happened" in await problem_of(relay)
    assert await published(connection, topics) == {}


async def test_a_store_that_is_away_is_waited_for(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog(is_away=True)
    async with running_relay(connection, topics, log) as relay:
        await asyncio.sleep(0.3)
        assert await problem_of(relay) == "the store is away"
        log.is_away = False
        await log.append_jobs(1)
        await until_saved(log)
        log.is_away = True
        await log.append_jobs(1, first=1)
        await asyncio.sleep(0.3)
        log.is_away = False
        await until_saved(log)
        assert relay.problem is None
    assert positions(await published(connection, topics)) == [1, 2, 3, 4]


def limit_messages(connection: KafkaConnection, topic: str, size: int) -> None:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(size)})
    with closing(KafkaAdminClient(**connection.for_kafka_python())) as client:
        client.alter_configs([resource])


async def test_a_batch_that_kafka_refuses_holds_up_what_comes_after_it(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append_jobs(5)
    await publish_all(connection, topics, log)
    limited = topics.name("access")
    await asyncio.to_thread(limit_messages, connection, limited, 2_000)
    await log.append("acct_1", account(name="x" * 3_000))
    await log.append_jobs(5, first=5)
    async with running_relay(connection, topics, log) as relay:
        assert "MessageSizeTooLarge" in await problem_of(relay)
        assert relay.position == 10
        await asyncio.to_thread(limit_messages, connection, limited, 100_000)
        await until_saved(log)
    rows = await published(connection, topics)
    assert set(positions(rows)) == set(range(1, 22))
    assert_in_order(rows)


async def test_topics_that_hold_more_than_the_store_are_refused(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append_jobs(5)
    await publish_all(connection, topics, log)
    restored = MemoryLog(log.stored[:6], saved=6)
    relay = Relay(connection, topics, restored, restored)
    with pytest.raises(RelayRefused, match=r"the event store ends at 6.*delete all topics"):
        await relay.run()
    assert relay.problem is not None


async def test_topics_that_hold_other_events_than_the_store_are_refused(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append_jobs(5)
    await publish_all(connection, topics, log)
    restored = MemoryLog(log.stored[:6], saved=6)
    await restored.append_jobs(9, first=100)
    with pytest.raises(RelayRefused, match="holds another event at position"):
        await Relay(connection, topics, restored, restored).run()
    assert positions(await published(connection, topics)) == list(range(1, 11))


async def test_topics_that_have_lost_their_last_events_are_refused(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append_jobs(5)
    await publish_all(connection, topics, log)
    await log.append_jobs(5, first=5)
    log.saved = 20
    with pytest.raises(RelayRefused, match="hold nothing after 10: Kafka has lost records"):
        await Relay(connection, topics, log, log).run()


async def test_old_events_that_came_late_are_no_loss_of_the_last_ones(
    connection: KafkaConnection, topics: Topics
) -> None:
    log = MemoryLog()
    await log.append_jobs(5)
    await publish_all(connection, topics, log)
    async with raw_producer(connection) as producer:
        for place, there in (await published(connection, topics)).items():
            await send_rows(producer, place.topic, place.partition, there[:1])
    await log.append_jobs(5, first=5)
    await publish_all(connection, topics, log)
    rows = await published(connection, topics)
    assert set(positions(rows)) == set(range(1, 21))
    assert_in_order(rows)


async def test_new_topics_get_the_whole_log(connection: KafkaConnection, topics: Topics) -> None:
    log = MemoryLog(saved=8)
    await log.append_jobs(5)
    async with running_relay(connection, topics, log) as relay:
        await until_saved(log)
        assert relay.position == 10
    assert positions(await published(connection, topics)) == list(range(1, 11))


async def test_a_kafka_that_dies_and_returns_loses_and_reorders_nothing(
    own_kafka: LocalKafka,
) -> None:
    connection, topics, log = KafkaConnection(own_kafka.bootstrap_servers), Topics("t"), MemoryLog()
    await asyncio.to_thread(ensure_topics, connection, topics, TopicLayout(PARTITIONS, 1))
    async with running_relay(connection, topics, log) as relay:
        await log.append_jobs(RELAYED_AT_ONCE)
        while relay.position == 0:
            await asyncio.sleep(0.005)
        await asyncio.to_thread(own_kafka.kill)
        await log.append_jobs(RELAYED_AT_ONCE, first=RELAYED_AT_ONCE)
        await problem_of(relay)
        await asyncio.to_thread(own_kafka.start)
        await until_saved(log)
        assert relay.problem is None
    rows = await published(connection, topics)
    assert set(positions(rows)) == set(range(1, len(log.stored) + 1))
    assert_in_order(rows)


async def test_a_relay_ends_at_once_while_kafka_is_away(own_kafka: LocalKafka) -> None:
    connection, topics, log = KafkaConnection(own_kafka.bootstrap_servers), Topics("t"), MemoryLog()
    await asyncio.to_thread(ensure_topics, connection, topics, TopicLayout(PARTITIONS, 1))
    await log.append_jobs(1)
    async with running_relay(connection, topics, log):
        await until_saved(log)
        await asyncio.to_thread(own_kafka.kill)
        await log.append_jobs(1, first=1)
        await asyncio.sleep(0.5)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 2
    assert log.saved == 2
