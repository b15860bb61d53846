"""The topics of the log: made where they are missing, checked where they are not, never changed.

Topics keep everything for ever. One that would forget is refused with the command that mends it,
because what it has forgotten could not be told from what never was.
"""

import asyncio
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import structlog
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from adapters.kafka.connection import KafkaConnection, KafkaUnavailable
from adapters.kafka.topics import Topics

CONNECT_SECONDS: Final = 5
READY_SECONDS: Final = 30
RETRY_SECONDS: Final = 2.0
# An event is small; this is room for one that is not.
MAX_MESSAGE_BYTES: Final = 16 * 2**20
FOR_EVER: Final = "-1"
# What a topic must have, lest it lose or refuse events or tell another time than they do.
REQUIRED: Final[Mapping[str, str]] = {
    "cleanup.policy": "delete",
    "retention.ms": FOR_EVER,
    "retention.bytes": FOR_EVER,
    "message.timestamp.type": "CreateTime",
    "message.timestamp.before.max.ms": str(2**63 - 1),
    "message.timestamp.after.max.ms": str(2**63 - 1),
}

log = structlog.get_logger(__name__)


class TopicsUnfit(Exception):
    """Topics that would lose or refuse events; says what is wrong with each and how to mend it."""


@dataclass(frozen=True, slots=True)
class TopicLayout:
    """How topics are made that are not there."""

    partitions: int
    replication_factor: int

    @property
    def min_insync_replicas(self) -> int:
        """With three replicas or more, an event outlives the loss of any one."""
        return 2 if self.replication_factor >= 3 else 1


def ensure_topics(
    connection: KafkaConnection, topics: Topics, layout: TopicLayout
) -> tuple[str, ...]:
    """Makes the missing topics and checks all; returns what differs and does no harm.

    Blocking. Any number of processes may do it at once. Raises `TopicsUnfit` or
    `KafkaUnavailable`.
    """
    names = (*topics.log, topics.dead_letters)
    try:
        _knock(connection.servers)
        client = KafkaAdminClient(
            bootstrap_timeout_ms=CONNECT_SECONDS * 1000, **connection.for_kafka_python()
        )
        with closing(client):
            _make_missing(client, names, layout)
            client.wait_for_topics(list(names), timeout_ms=READY_SECONDS * 1000)
            problems = list(_problems(client, names, layout))
    except (KafkaError, OSError) as error:
        raise KafkaUnavailable(f"Kafka at {connection.bootstrap_servers}: {error!r}") from error
    if fatal := [text for text, is_fatal in problems if is_fatal]:
        raise TopicsUnfit("\n".join(fatal))
    return tuple(text for text, _ in problems)


async def topics_ready(connection: KafkaConnection, topics: Topics, layout: TopicLayout) -> None:
    """The same without blocking; waits for as long as Kafka is away. Raises `TopicsUnfit`."""
    while True:
        try:
            for text in await asyncio.to_thread(ensure_topics, connection, topics, layout):
                log.warning("kafka.topic_differs", problem=text)
        except KafkaUnavailable as error:
            log.warning("kafka.waiting", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


def _knock(servers: Sequence[str]) -> None:
    """Raises `OSError` at once where nobody listens; the client would try for all of its time."""
    refusal: OSError | None = None
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        except OSError as error:
            refusal = error
        else:
            return
    raise refusal or OSError("there are no servers to connect to")


def _make_missing(client: Any, names: Sequence[str], layout: TopicLayout) -> None:
    there = set(client.list_topics())
    missing = [name for name in names if name not in there]
    if not missing:
        return
    configs = {
        **REQUIRED,
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "min.insync.replicas": str(layout.min_insync_replicas),
    }
    made = {
        "num_partitions": layout.partitions,
        "replication_factor": layout.replication_factor,
        "configs": configs,
    }
    answer = client.create_topics(dict.fromkeys(missing, made), raise_errors=False)
    for topic in answer["topics"]:
        error = for_code(topic["error_code"])
        if error not in {NoError, TopicAlreadyExistsError}:  # another start was quicker
            raise TopicsUnfit(
                f"{topic['name']} cannot be made: {topic.get('error_message') or error.__name__}"
            )


def _problems(client: Any, names: Sequence[str], layout: TopicLayout) -> Iterator[tuple[str, bool]]:
    """What is not as it should be, and whether events could be lost or refused over it."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    configs = client.describe_configs(resources, config_filter="all")["topic"]
    for topic in client.describe_topics(list(names)):
        name, values = topic["name"], configs[topic["name"]]
        for key, wanted in REQUIRED.items():
            found = values[key]["value"] if key in values else wanted
            if found != wanted:
                yield _mend(name, key, found, wanted), True
        if int(values["max.message.bytes"]["value"]) < MAX_MESSAGE_BYTES:
            found = values["max.message.bytes"]["value"]
            yield _mend(name, "max.message.bytes", found, str(MAX_MESSAGE_BYTES)), False
        yield from ((text, False) for text in _differences(name, topic, values, layout))


def _mend(name: str, key: str, found: str, wanted: str) -> str:
    return (
        f"{name} has {key}={found} where {wanted} is needed; set it with kafka-configs.sh --alter "
        f"--topic {name} --add-config {key}={wanted}"
    )


def _differences(
    name: str, topic: Mapping[str, Any], values: Mapping[str, Any], layout: TopicLayout
) -> Iterator[str]:
    partitions = topic["partitions"]
    if len(partitions) != layout.partitions:
        yield (
            f"{name} has {len(partitions)} partitions, not {layout.partitions}: the number is "
            "fixed when a topic is made"
        )
    replicas = min(len(one["replica_nodes"]) for one in partitions)
    if replicas < layout.replication_factor:
        yield f"{name} has {replicas} replicas, not {layout.replication_factor}"
    if int(values["min.insync.replicas"]["value"]) < layout.min_insync_replicas:
        found = values["min.insync.replicas"]["value"]
        yield _mend(name, "min.insync.replicas", found, str(layout.min_insync_replicas))
