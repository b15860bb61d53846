"""The topics of the log on a real Kafka: made once, checked always, changed never."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from adapters.kafka.admin import TopicLayout, TopicsUnfit, ensure_topics
from adapters.kafka.connection import KafkaConnection, KafkaUnavailable
from adapters.kafka.topics import Topics
from tests.support.services import Broker

LAYOUT = TopicLayout(partitions=2, replication_factor=1)


@pytest.fixture
def connection(kafka_server: Broker) -> KafkaConnection:
    return KafkaConnection(kafka_server.bootstrap_servers)


@pytest.fixture
def topics(topic_prefix: str) -> Topics:
    return Topics(topic_prefix)


@contextmanager
def administered(connection: KafkaConnection) -> Iterator[Any]:
    with closing(KafkaAdminClient(**connection.for_kafka_python())) as client:
        yield client


def settings_of(connection: KafkaConnection, topic: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    with administered(connection) as client:
        found = client.describe_configs([resource], config_filter="all")["topic"][topic]
    return {key: one["value"] for key, one in found.items()}


def alter(connection: KafkaConnection, topic: str, **values: str) -> None:
    """Changes settings of a topic and returns once the broker shows them: the controller has agreed
    before the broker knows.
    """
    changes = {key.replace("_", "."): value for key, value in values.items()}
    with administered(connection) as client:
        client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, changes)])
    deadline = time.monotonic() + 20
    while not changes.items() <= settings_of(connection, topic).items():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_topics_are_made_that_forget_nothing(connection: KafkaConnection, topics: Topics) -> None:
    assert ensure_topics(connection, topics, LAYOUT) == ()
    with administered(connection) as client:
        made = {one["name"]: one for one in client.describe_topics() if one["name"]}
    for name in (*topics.log, topics.dead_letters):
        assert len(made[name]["partitions"]) == 2
    kept = settings_of(connection, topics.log[0])
    assert kept["retention.ms"] == kept["retention.bytes"] == "-1"
    assert kept["cleanup.policy"] == "delete"


def test_a_second_start_changes_nothing(connection: KafkaConnection, topics: Topics) -> None:
    ensure_topics(connection, topics, LAYOUT)
    assert ensure_topics(connection, topics, LAYOUT) == ()


def test_nodes_may_start_at_once(connection: KafkaConnection, topics: Topics) -> None:
    with ThreadPoolExecutor() as pool:
        starts = [pool.submit(ensure_topics, connection, topics, LAYOUT) for _ in range(4)]
        assert {start.result() for start in starts} == {()}


def test_a_topic_that_would_forget_is_refused_and_left_alone(
    connection: KafkaConnection, topics: Topics
) -> None:
    ensure_topics(connection, topics, LAYOUT)
    alter(connection, topics.name("billing"), retention_ms="86400000")
    with pytest.raises(TopicsUnfit, match=r"billing has retention\.ms=86400000.*--alter"):
        ensure_topics(connection, topics, LAYOUT)
    assert settings_of(connection, topics.name("billing"))["retention.ms"] == "86400000"


def test_what_differs_and_does_no_harm_is_reported(
    connection: KafkaConnection, topics: Topics
) -> None:
    ensure_topics(connection, topics, LAYOUT)
    reported = ensure_topics(connection, topics, TopicLayout(3, 3))
    name = topics.name("access")
    assert f"{name} has 2 partitions, not 3" in "\n".join(reported)
    assert f"{name} has 1 replicas, not 3" in reported
    assert any("min.insync.replicas" in one for one in reported)


def test_more_replicas_than_brokers_cannot_be_had(
    connection: KafkaConnection, topics: Topics
) -> None:
    with pytest.raises(TopicsUnfit, match="replication factor"):
        ensure_topics(connection, topics, TopicLayout(1, 99))


def test_a_kafka_that_does_not_answer_is_unavailable(topics: Topics) -> None:
    with pytest.raises(KafkaUnavailable, match=r"127\.0\.0\.1:1"):
        ensure_topics(KafkaConnection("127.0.0.1:1"), topics, LAYOUT)
