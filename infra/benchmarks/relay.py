"""How many events a second the relay publishes to Kafka, against a bare producer.

Run: `python -m infra.benchmarks.relay [events] [--kafka HOST:PORT]`, without an address against a
broker of its own on this machine. The log holds six events a job, ready in memory, so that the
figure is the relay's and not the store's. The baseline sends the same keys, values and headers,
already made, by an aiokafka producer with the same settings, as many at a time. Then the same
log is read back in position order.
"""

import argparse
import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer

from adapters.codec.events import EventCodec
from adapters.kafka.admin import TopicLayout, ensure_topics
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.lanes import Lanes
from adapters.kafka.merged_log import KafkaStoredLog
from adapters.kafka.publisher import BATCH_BYTES
from adapters.kafka.records import RELAYED_AT_ONCE, EventRecord, record_of
from adapters.kafka.relay import Relay
from adapters.kafka.topics import Topics
from domain.event import Recorded
from domain.event_types import ALL_EVENTS
from domain.ports.stored_rows import StoredRow
from infra.benchmarks.job_events import job_writes
from infra.local.services import LocalKafka, temporary_folder

LAYOUT = TopicLayout(partitions=12, replication_factor=1)
CODEC = EventCodec(ALL_EVENTS)
READ_AT_ONCE = 5_000


@dataclass
class Rows:
    """A log in memory: `RelaySource` and `RelayProgress`."""

    stored: list[StoredRow]
    saved: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def rows(self, after: int, limit: int) -> Sequence[StoredRow]:
        return self.stored[after : after + limit]

    async def wait(self, after: int) -> None:  # noqa: ARG002 - nothing is added
        await asyncio.Event().wait()

    async def firsts(self, streams: Sequence[str]) -> Sequence[StoredRow]:
        wanted = set(streams)
        return [row for row in self.stored if row.version == 1 and row.stream in wanted]

    async def head(self) -> int:
        return len(self.stored)

    async def load(self) -> int:
        return self.saved

    async def save(self, position: int) -> None:
        self.saved = position
        if position == len(self.stored):
            self.reached.set()

    async def reset(self) -> None:
        self.saved = 0


def log_of(events: int) -> list[StoredRow]:
    """That many events of jobs, as they are stored."""
    rows: list[StoredRow] = []
    number = 0
    while len(rows) < events:
        for write in job_writes(number):
            for version, event in enumerate(write.events, 1):
                recorded = Recorded(
                    position=len(rows) + 1,
                    stream=write.stream,
                    version=version,
                    event_id=f"evt_{len(rows):032x}",
                    recorded_at=1_700_000_000_000 + len(rows),
                    account_id=f"acct_{number % 20:032x}",
                    actor_type="key",
                    actor_id="key_1",
                    correlation_id=f"req_{number:032x}",
                    causation_id=None,
                    trace=None,
                    event=event,
                )
                topic = CODEC.topics[type(event)]
                state = CODEC.encode(recorded)
                rows.append(StoredRow(recorded.position, write.stream, version, topic, state))
        number += 1
    return rows[:events]


@asynccontextmanager
async def producing(connection: KafkaConnection) -> AsyncIterator[AIOKafkaProducer]:
    """A producer with the relay's settings."""
    producer = AIOKafkaProducer(
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        **connection.for_aiokafka(),
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def bare(
    connection: KafkaConnection, records: Sequence[tuple[str, EventRecord]]
) -> tuple[float, float]:
    """Seconds by the clock and of this process, to send ready records."""
    async with producing(connection) as producer:
        began, cpu = time.perf_counter(), time.process_time()
        for start in range(0, len(records), RELAYED_AT_ONCE):
            sent = [
                await producer.send(topic, one.value, one.key, headers=one.headers)
                for topic, one in records[start : start + RELAYED_AT_ONCE]
            ]
            await asyncio.gather(*sent)
        return time.perf_counter() - began, time.process_time() - cpu


async def relayed(
    connection: KafkaConnection, topics: Topics, rows: list[StoredRow]
) -> tuple[float, float]:
    """The same, to relay the log."""
    log = Rows(rows)
    began, cpu = time.perf_counter(), time.process_time()
    relay = asyncio.create_task(Relay(connection, topics, log, log).run())
    await log.reached.wait()
    took = time.perf_counter() - began, time.process_time() - cpu
    relay.cancel()
    await asyncio.wait({relay})
    return took


async def merged(connection: KafkaConnection, topics: Topics, events: int) -> tuple[float, float]:
    """The same, to read all of it back, decoded and in order."""
    log = KafkaStoredLog(connection, topics, CODEC)
    began, cpu = time.perf_counter(), time.process_time()
    position = 0
    while position < events:
        for entry in await log.read_log(position, READ_AT_ONCE):
            assert entry.position == position + 1
            position = entry.position
    took = time.perf_counter() - began, time.process_time() - cpu
    await log.close()
    return took


def report(name: str, events: int, took: tuple[float, float]) -> float:
    """One line of the result; events per second by the clock."""
    seconds, cpu = took
    print(
        f"{name:24} {events / seconds:>10,.0f} events/s   {events / cpu:>10,.0f} per core   "
        f"{cpu / events * 1e6:5.1f} µs CPU"
    )
    return events / seconds


async def main(events: int, address: str) -> None:
    """Prints the figures."""
    connection = KafkaConnection(address)
    plain, topics = (Topics(f"bench-{secrets.token_hex(4)}-{name}") for name in ("bare", "relay"))
    for one in (plain, topics):
        ensure_topics(connection, one, LAYOUT)
    rows = log_of(events)
    families = await Lanes(Rows(rows)).families(rows)
    records = [
        (plain.name(family), record_of(row)) for family, row in zip(families, rows, strict=True)
    ]
    size = sum(len(row.state) for row in rows) / events
    print(f"{events:,} events of {size:.0f} bytes, {LAYOUT.partitions} partitions a topic")
    alone = report("bare producer", events, await bare(connection, records))
    relay = report("relay", events, await relayed(connection, topics, rows))
    report("read back in order", events, await merged(connection, topics, events))
    print(f"ratio of the relay to the bare producer: {relay / alone:.2f}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("events", type=int, nargs="?", default=100_000)
    arguments.add_argument("--kafka", help="the address of a broker that runs")
    given = arguments.parse_args()
    if given.kafka:
        asyncio.run(main(given.events, given.kafka))
    elif reason := LocalKafka.available():
        print(f"not measured: {reason}")
    else:
        with temporary_folder() as folder, LocalKafka(folder / "kafka") as server:
            asyncio.run(main(given.events, server.bootstrap_servers))
