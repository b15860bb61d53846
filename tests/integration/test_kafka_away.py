"""Consumers and the work queue while Kafka is away, and when it is back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.inference.events import JobAccepted
from domain.ports.consumer import Consumer, on
from domain.ports.work_queue import WorkItem
from infra.local.services import LocalKafka
from tests.support.dying_consumer import GROUP, records_a_credit
from tests.support.kafka_group import KafkaGroup, kafka_group, running, until
from tests.support.services import need_local_kafka
from tests.support.stores import ACCOUNT, accepted, job_id, write

TABLE = Consumer(GROUP, (on(JobAccepted, records_a_credit),))


@pytest.fixture
async def broker(server_folder: Path) -> AsyncIterator[LocalKafka]:
    """A broker of the test's own."""
    need_local_kafka()
    server = LocalKafka(server_folder / "kafka")
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.kill)


@pytest.fixture
async def here(broker: LocalKafka, store_url: str) -> AsyncIterator[KafkaGroup]:
    async with kafka_group(broker.bootstrap_servers, "t", store_url) as made:
        yield made


async def credited(here: KafkaGroup, jobs: int) -> None:
    async def reached() -> bool:
        return (await here.store.wallet(ACCOUNT)).total >= jobs

    await until(reached, 60)


async def test_a_broker_that_dies_and_comes_back_loses_and_doubles_nothing(
    here: KafkaGroup, broker: LocalKafka
) -> None:
    async with running(here.runner(TABLE)):
        await here.accept(range(20))
        await credited(here, 20)
        await asyncio.to_thread(broker.kill)
        await asyncio.gather(*(write(here.store, job_id(n), accepted(n)) for n in range(20, 40)))
        await asyncio.sleep(1)
        await asyncio.to_thread(broker.start)
        await here.publish()
        await credited(here, 40)
    assert (await here.store.wallet(ACCOUNT)).total == 40


async def test_a_consumer_that_starts_while_kafka_is_away_begins_when_it_comes(
    here: KafkaGroup, broker: LocalKafka
) -> None:
    await here.accept(range(5))
    await asyncio.to_thread(broker.stop)
    async with running(here.runner(TABLE)):
        await asyncio.sleep(1)
        await asyncio.to_thread(broker.start)
        await credited(here, 5)


async def test_work_that_is_recorded_while_kafka_is_away_is_taken_in_from_the_store(
    here: KafkaGroup, broker: LocalKafka
) -> None:
    given: list[WorkItem] = []
    queue = here.queue(sweep_seconds=0.3)
    queue.subscribe("dispatch", given.append)
    async with running(queue):
        await until(lambda: len(queue.partitions) == 12)
        await asyncio.to_thread(broker.kill)
        await write(here.store, job_id(1), accepted(1))
        await until(lambda: job_id(1) in {item.item_id for item in given})
        await asyncio.to_thread(broker.start)
