"""Which topic and partition an event stands in, and how Kafka is reached."""

from collections import Counter

import pytest
from aiokafka.partitioner import DefaultPartitioner

from adapters.kafka.connection import KafkaConnection
from adapters.kafka.topics import (
    DEAD_LETTERS,
    FAMILIES,
    Topics,
    families_of,
    has_lane,
    partition_of,
    topic_of,
)
from domain.event_types import ALL_EVENTS
from domain.ids import Kind, derived_id
from domain.inference.events import LANES

NAMES = [one.event_name for one in ALL_EVENTS]


@pytest.mark.parametrize("name", NAMES)
def test_every_event_has_a_topic_of_the_log(name: str) -> None:
    lanes = LANES if has_lane(name) else (None,)
    assert {topic_of(name, lane) for lane in lanes} <= set(FAMILIES)


@pytest.mark.parametrize("name", ["unheard.of.happened", "", "dead_letters", "accessories.x.ed"])
def test_an_event_of_no_family_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no topic"):
        topic_of(name)


def test_an_event_of_a_job_needs_its_lane() -> None:
    assert topic_of("inference.job.failed", "batch") == "inference.batch"
    with pytest.raises(ValueError, match="lane"):
        topic_of("inference.job.failed")


def test_a_consumer_of_jobs_reads_all_lanes_and_nothing_else() -> None:
    names = ["inference.job.completed", "inference.job.failed", "billing.charge.recorded"]
    assert families_of(names) == (*(f"inference.{lane}" for lane in LANES), "billing")


def test_the_dead_letters_are_no_part_of_the_log() -> None:
    topics = Topics("acme")
    assert topics.dead_letters == f"acme.{DEAD_LETTERS}"
    assert topics.dead_letters not in topics.log
    assert len(set(topics.log)) == len(FAMILIES) == 10


@pytest.mark.parametrize("partitions", [1, 12, 1000])
def test_a_stream_has_the_partition_that_other_producers_would_choose(partitions: int) -> None:
    streams = [derived_id(Kind.JOB, str(number)) for number in range(200)]
    chosen = DefaultPartitioner()
    everywhere = list(range(partitions))
    assert [partition_of(one, partitions) for one in streams] == [
        chosen(one.encode(), everywhere, everywhere) for one in streams
    ]


def test_streams_are_spread_over_the_partitions() -> None:
    counted = Counter(partition_of(derived_id(Kind.JOB, str(n)), 12) for n in range(1200))
    assert len(counted) == 12
    assert max(counted.values()) < 200


@pytest.mark.parametrize("servers", ["", "kafka", "a:1,kafka", ":"])
def test_a_server_is_a_host_and_a_port(servers: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        KafkaConnection(servers)


def test_a_password_is_not_shown() -> None:
    connection = KafkaConnection("h:9092", "SASL_SSL", username="me", password="swordfish")
    assert "swordfish" not in repr(connection)


def test_every_client_is_told_the_same() -> None:
    connection = KafkaConnection(
        "a:1, b:2", "SASL_PLAINTEXT", "SCRAM-SHA-256", username="me", password="swordfish"
    )
    for told in (connection.for_aiokafka(), connection.for_kafka_python()):
        assert told["bootstrap_servers"] == ["a:1", "b:2"]
        assert told["sasl_plain_password"] == "swordfish"
        assert told["ssl_context"] is None
    told = connection.for_faststream()
    assert told["bootstrap_servers"] == ["a:1", "b:2"]
    assert (told["security"].username, told["security"].use_ssl) == ("me", False)


def test_encryption_checks_certificates() -> None:
    connection = KafkaConnection("a:1", "SSL")
    for context in (
        connection.for_aiokafka()["ssl_context"],
        connection.for_faststream()["security"].ssl_context,
    ):
        assert context.check_hostname
