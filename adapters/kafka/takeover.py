"""Whether the topics hold the events of this store, asked before anything is published to them.

They do not after the store was restored from a backup, after Kafka lost records, or when two
installations share a prefix. To publish then would put two logs into one.
"""

from collections.abc import Iterable
from typing import Final

from aiokafka import ConsumerRecord

from adapters.kafka.connection import KafkaConnection
from adapters.kafka.probing import highest_near_end, last_records, opened_consumer
from adapters.kafka.records import RELAYED_AT_ONCE, NotAnEvent, position_of, row_of
from adapters.kafka.topics import Topics
from domain.ports.relay import RelaySource

# So many batches of broken relays, each sent again as a whole, may stand at the end of a partition.
LATE_BATCHES: Final = 2
REMEDY: Final = (
    "Stop the relay and every consumer, delete all topics named {prefix}.*, and start again: the "
    "relay fills them anew from the event store, and consumers skip what they have handled. If "
    "the topics belong to another installation, set another kafka.topic_prefix instead."
)


class RelayRefused(Exception):
    """The topics and the event store are not of one log; says why, and what to do."""


async def position_to_resume(
    connection: KafkaConnection, topics: Topics, source: RelaySource, published: int
) -> int:
    """The position after which to publish, given that everything up to `published` was.

    Raises `RelayRefused`, `KafkaUnavailable` or `StoreUnavailable`.
    """
    async with opened_consumer(connection, topics.log) as consumer:
        last = (await last_records(consumer)).values()
        reached = max((position_of(record) for record in last), default=0)
        if 0 < reached < published:
            # What a broken relay had on its way for long may stand behind later events.
            reached = await highest_near_end(consumer, LATE_BATCHES * RELAYED_AT_ONCE)
    if reached == 0:
        return 0  # new topics: all of the log goes into them
    why = await _stranger(last, source)
    if why is None and reached < published:
        why = (
            f"Everything up to position {published} was published, and the topics hold nothing "
            f"after {reached}: Kafka has lost records"
        )
    if why is not None:
        raise RelayRefused(f"{why}. {REMEDY.format(prefix=topics.prefix)}")
    return published


async def _stranger(records: Iterable[ConsumerRecord], source: RelaySource) -> str | None:
    """Why one of these records is none of the store's events; None when all are."""
    head = await source.head()
    for record in records:
        place = f"{record.topic}, partition {record.partition}, offset {record.offset}"
        try:
            row = row_of(record)
        except NotAnEvent as error:
            return f"{place}: {error}"
        if row.position > head:
            return (
                f"{place} holds position {row.position} and the event store ends at {head}: it "
                "was restored from a backup, or is another store"
            )
        if list(await source.rows(row.position - 1, 1)) != [row]:
            return f"{place} holds another event at position {row.position} than the event store"
    return None
