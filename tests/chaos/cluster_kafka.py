"""What a campaign does to Kafka from outside: sends records again, resets offsets, reads it."""

import asyncio
import time
from collections import Counter
from contextlib import closing
from random import Random
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec

from infra.cluster.kafka import connection_of, topics_of
from infra.settings import Settings

WEBHOOKS_GROUP = "webhooks"
# Of each partition that is hit, so many records at most are sent once more.
AGAIN = 60
FETCH_MS = 2_000
READ_SECONDS = 20
# Longer than Kafka takes a silent member for alive.
EMPTY_SECONDS = 30


async def send_again(settings: Settings, random: Random, share: float = 0.5) -> int:
    """Publishes records of a share of the partitions once more, in any order; returns how many."""
    consumer = AIOKafkaConsumer(
        *topics_of(settings).log, **_alone(settings), auto_offset_reset="earliest"
    )
    async with asyncio.timeout(READ_SECONDS), consumer:
        records = [
            record
            for place in sorted(consumer.assignment())
            if random.random() < share
            for record in await _some(consumer, place, random)
        ]
    random.shuffle(records)
    producer = AIOKafkaProducer(**connection_of(settings).for_aiokafka())
    async with asyncio.timeout(READ_SECONDS), producer:
        for record in records:
            await producer.send(
                record.topic,
                key=record.key,
                value=record.value,
                headers=list(record.headers),
                partition=record.partition,
                timestamp_ms=record.timestamp,
            )
        await producer.flush()
    return len(records)


async def _some(
    consumer: AIOKafkaConsumer, place: TopicPartition, random: Random
) -> list[ConsumerRecord]:
    end = (await consumer.end_offsets([place]))[place]
    if not end:
        return []
    consumer.seek(place, random.randrange(end))
    fetched = await consumer.getmany(place, timeout_ms=FETCH_MS, max_records=AGAIN)
    return list(fetched.get(place, []))


def reset_offsets(settings: Settings, *, forget: bool) -> None:
    """Moves the group to the beginning of its topics, or makes Kafka forget it.

    Blocking; waits until the last member that was killed is known to be dead.
    """
    topics = topics_of(settings)
    group = f"{topics.prefix}.{WEBHOOKS_GROUP}"
    with closing(KafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap_servers)) as admin:
        deadline = time.monotonic() + EMPTY_SECONDS
        while admin.describe_groups([group])[group]["group_state"] not in {"Empty", "Dead"}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"group {group} has members still")
            time.sleep(0.2)
        if forget:
            admin.delete_groups([group])
        else:
            found = admin.list_group_offsets([group])[group]
            done = admin.reset_group_offsets(group, dict.fromkeys(found, OffsetSpec.EARLIEST))
            assert all(one["error"].errno == 0 for one in done.values()), done


def delete_topics(settings: Settings) -> None:
    """What the relay asks an operator to do where Kafka and the store differ. Blocking."""
    topics = topics_of(settings)
    with closing(KafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap_servers)) as admin:
        admin.delete_topics([*topics.log, topics.dead_letters])


async def all_records(settings: Settings) -> dict[TopicPartition, list[ConsumerRecord]]:
    """Everything in the topics of the log, as it stands there."""
    consumer = AIOKafkaConsumer(
        *topics_of(settings).log, **_alone(settings), auto_offset_reset="earliest"
    )
    found: dict[TopicPartition, list[ConsumerRecord]] = {}
    async with consumer:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        left = Counter({place: end for place, end in ends.items() if end})
        async with asyncio.timeout(READ_SECONDS):
            while left:
                for place, records in (await consumer.getmany(timeout_ms=500)).items():
                    found.setdefault(place, []).extend(records)
                    if records[-1].offset + 1 >= ends[place]:
                        left.pop(place, None)
    return found


async def dead_letter_count(settings: Settings) -> int:
    """How many copies of dead letters there are."""
    topic = topics_of(settings).dead_letters
    async with AIOKafkaConsumer(topic, **_alone(settings)) as consumer:
        return sum((await consumer.end_offsets(list(consumer.assignment()))).values())


def _alone(settings: Settings) -> dict[str, Any]:
    """A consumer in no group."""
    return {"group_id": None, "enable_auto_commit": False, **connection_of(settings).for_aiokafka()}
