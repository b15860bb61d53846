"""The oracle of a cluster: that of one engine, and what Kafka and the receivers must hold besides.

Kafka is read twice: by the engine's own reader, whose log must be the store's byte for byte, and
partition by partition as it stands there.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress

from standardwebhooks import WebhookVerificationError

from adapters.codec.events import EventCodec
from adapters.kafka.lanes import Lanes
from adapters.kafka.merged_log import KafkaStoredLog
from adapters.kafka.records import row_of
from adapters.kafka.topics import partition_of
from adapters.postgres.relay import PostgresRelaySource
from domain.event import Event, Recorded
from domain.event_types import ALL_EVENTS
from domain.inference.events import TERMINAL, JobAccepted
from domain.ports.stored_rows import StoredRow
from domain.webhooks.events import EndpointCreated
from infra.cluster.kafka import connection_of, topics_of
from infra.cluster.storage import open_cluster_storage
from infra.settings import Settings
from tests.chaos.cluster_kafka import all_records, dead_letter_count
from tests.chaos.cluster_world import MoodyReceiver
from tests.chaos.oracle import PAGE, History, Verdict, check_read_models, examine
from tests.support.webhook_receiver import Received

# Whom to tell of which job, by the path at the receiver.
Target = tuple[str, str]


async def inspect_cluster(settings: Settings) -> tuple[Verdict, History]:
    """Judges a cluster whose nodes have stopped with nothing left to do."""
    verdict = Verdict()
    async with open_cluster_storage(settings) as storage:
        history = await examine(storage, verdict)
        source = PostgresRelaySource(storage.store)
        rows = await _rows(source)
        families = await Lanes(source).families(rows)
        published = KafkaStoredLog(
            connection_of(settings), topics_of(settings), EventCodec(ALL_EVENTS)
        )
        try:
            await _check_published(published, rows, verdict)
            await check_read_models(storage, published, "rebuilt from Kafka", verdict)
        finally:
            await published.close()
    await _check_partitions(settings, rows, families, verdict)
    verdict.check("copies of dead letters in Kafka", await dead_letter_count(settings), 0)
    return verdict, history


async def _rows(source: PostgresRelaySource) -> list[StoredRow]:
    rows: list[StoredRow] = []
    while page := await source.rows(rows[-1].position if rows else 0, PAGE):
        rows += page
    return rows


async def _check_published(
    published: KafkaStoredLog, rows: Sequence[StoredRow], verdict: Verdict
) -> None:
    """The log as Kafka's reader gives it, position by position."""
    found: list[StoredRow] = []
    while records := await published.records(found[-1].position if found else 0, PAGE):
        found += [row_of(record) for record in records]
    verdict.check("events that Kafka's reader gives", len(found), len(rows))
    other = [row.position for row, kept in zip(found, rows, strict=False) if row != kept]
    verdict.forbid("events that are others in Kafka than in PostgreSQL", other)


async def _check_partitions(
    settings: Settings, rows: Sequence[StoredRow], families: Sequence[str], verdict: Verdict
) -> None:
    """Every record as it stands in Kafka: where it belongs, and first ones in rising order."""
    by_position = {row.position: row for row in rows}
    topics = topics_of(settings).names(families)
    belongs = {
        row.position: (topic, partition_of(row.stream, settings.kafka.partitions))
        for row, topic in zip(rows, topics, strict=True)
    }
    strange, misplaced, disordered, count = list[str](), list[str](), list[str](), 0
    for place, records in (await all_records(settings)).items():
        seen, highest = set[int](), 0
        for record in records:
            row, where = row_of(record), f"{place.topic}-{place.partition}@{record.offset}"
            count += 1
            if by_position.get(row.position) != row:
                strange.append(where)
            elif belongs[row.position] != (place.topic, place.partition):
                misplaced.append(where)
            if row.position not in seen and row.position < highest:
                disordered.append(where)
            seen.add(row.position)
            highest = max(highest, row.position)
    verdict.figures["records in Kafka"] = count
    verdict.forbid("records that are none of the store's events", strange)
    verdict.forbid("records in a partition that is not theirs", misplaced)
    verdict.forbid("first records behind later ones", disordered)


def to_be_told(history: History) -> Mapping[Target, str]:
    """Which path is to be told of which job, and under which id."""
    own = {r.stream: r.event.webhook is not None for r in history.of(JobAccepted)}
    endpoints: dict[str, list[Recorded[Event]]] = defaultdict(list)
    for recorded in history.of(EndpointCreated):
        endpoints[recorded.account_id].append(recorded)
    told: dict[Target, str] = {}
    for ended in history.of(*TERMINAL):
        if own[ended.stream]:
            told["/hook/own", ended.stream] = ended.event_id
        for endpoint in endpoints[ended.account_id]:
            if endpoint.position < ended.position:
                path = "/hook/" + endpoint.event.url.rpartition("/")[2]  # type: ignore[attr-defined]
                told[path, ended.stream] = ended.event_id
    return told


def check_webhooks(
    history: History, receiver: MoodyReceiver, secrets: Mapping[str, str], verdict: Verdict
) -> None:
    """Everybody was told of everything, each event under its own id, and rightly signed."""
    expected, told = to_be_told(history), receiver.by_path()
    verdict.figures["webhooks to make"] = len(expected)
    verdict.figures["webhooks received"] = len(receiver.received)
    verdict.forbid("webhooks that never came", sorted(expected.keys() - told.keys()))
    other = [target for target, ids in told.items() if ids != {expected.get(target)}]
    verdict.forbid("jobs told under another id, or to nobody's wish", other)
    unsigned = [
        one.message_id
        for one in receiver.received
        if one.path in secrets and not _is_signed(one, secrets[one.path])
    ]
    verdict.forbid("webhooks signed wrongly", unsigned)


def _is_signed(received: Received, secret: str) -> bool:
    with suppress(WebhookVerificationError):
        return received.is_signed_with(secret)
    return False
