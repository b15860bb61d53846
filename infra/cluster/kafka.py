"""How a node reaches Kafka."""

from adapters.kafka.admin import TopicLayout, topics_ready
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.topics import Topics
from infra.settings import Settings


def connection_of(settings: Settings) -> KafkaConnection:
    """Where the brokers are and who we are to them."""
    kafka = settings.kafka
    return KafkaConnection(
        bootstrap_servers=kafka.bootstrap_servers or "",
        security_protocol=kafka.security_protocol,
        sasl_mechanism=kafka.sasl_mechanism,
        username=kafka.username,
        password=None if kafka.password is None else kafka.password.get_secret_value(),
        ca_file=kafka.ca_file,
    )


def topics_of(settings: Settings) -> Topics:
    """The names of the topics."""
    return Topics(settings.kafka.topic_prefix)


async def until_topics_are_ready(settings: Settings) -> None:
    """Makes the topics that are missing and checks the others; waits for Kafka if need be.

    Raises `TopicsUnfit` when one would lose or refuse events.
    """
    layout = TopicLayout(settings.kafka.partitions, settings.kafka.replication_factor)
    await topics_ready(connection_of(settings), topics_of(settings), layout)
