"""The AsyncAPI document of the topics: made from what FastStream is told, and the event types.

FastStream knows which group reads which topic. It describes what a handler is given, which here
is records as they came; so its channels are given the events that stand in them instead.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI

from adapters.kafka import consumers, work_queue
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.subscription import Membership, Receiver, Records, declared, make_broker
from adapters.kafka.topics import FAMILIES, Topics, families_of
from domain.ports.consumer import Consumer

DESCRIPTION = (
    "The log of the engine. Every event is one record: its data as JSON in the value, its envelope "
    "in headers named by the Kafka binding of CloudEvents, its stream as the key. `ce_position` is "
    "its place in the log: gap-free over all topics, and rising within a partition but for records "
    "that are sent again. Topics keep everything and are never compacted."
)
RELAY = "relay"
SERVER = "kafka"
ENVELOPE = "Envelope"
# What every record has, and what it may have.
HEADERS: Mapping[str, str] = {
    "ce_position": "The place in the log, from 1.",
    "ce_specversion": "1.0",
    "ce_id": "The id of the event.",
    "ce_source": "gatewayz",
    "ce_type": "The name of the event.",
    "ce_eventversion": "The version of the event's data.",
    "ce_subject": "The stream.",
    "ce_streamversion": "The place in the stream, from 1.",
    "ce_time": "When it was recorded, as RFC 3339 with milliseconds.",
    "content-type": "application/json",
    "ce_account": "Whose event it is.",
    "ce_actortype": "Who caused it: key, user or system.",
    "ce_actorid": "The id of that one.",
    "ce_correlationid": "The request that it goes back to.",
}
OPTIONAL_HEADERS: Mapping[str, str] = {
    "ce_causationid": "The event that caused it.",
    "ce_traceparent": "The W3C trace context.",
}
DEAD_LETTER_HEADERS: Mapping[str, str] = {
    "gatewayz_group": "The consumer group that could not handle the record.",
    "gatewayz_error": "Why.",
    "gatewayz_topic": "Where the record stands.",
    "gatewayz_partition": "Its partition.",
    "gatewayz_offset": "Its offset.",
}


@dataclass(frozen=True, slots=True)
class EventDocs:
    """Name, version, meaning and JSON Schema of every event, and the schemas that they share.

    References are `#/$defs/<name>`, as the catalogue has them.
    """

    events: Sequence[Mapping[str, Any]]
    shared: Mapping[str, Any]


def asyncapi_document(
    connection: KafkaConnection,
    topics: Topics,
    tables: Iterable[Consumer],
    docs: EventDocs,
    version: str,
) -> dict[str, Any]:
    """The document, AsyncAPI 3, ready for JSON."""
    broker = make_broker(connection)
    _declare(broker, topics, tables)
    made = AsyncAPI(broker, title="Gatewayz", version=version, description=DESCRIPTION)
    spec: dict[str, Any] = made.to_specification().to_jsonable()
    families = {topics.name(family): family for family in FAMILIES}
    messages = {_key(event): _message(event) for event in docs.events}
    spec["operations"] = _operations(spec, topics)
    spec["servers"] = {SERVER: next(iter(spec["servers"].values()))}
    spec["channels"] = {
        **{
            family: _channel(spec, topic, _messages_in(family, docs.events))
            for topic, family in families.items()
        },
        "dead_letters": _channel(spec, topics.dead_letters, ["dead_letter"]),
    }
    spec["components"] = {
        "messages": {**messages, "dead_letter": _dead_letter()},
        "schemas": {ENVELOPE: _headers(HEADERS, OPTIONAL_HEADERS), **_at_home(docs.shared)},
    }
    return spec


class _Nobody(Receiver):
    """The receiver of a broker that is never started."""

    async def receive(self, records: Records) -> None: ...

    async def assigned(self, partitions: frozenset[Any]) -> None: ...

    async def revoked(self) -> None: ...


def _declare(broker: KafkaBroker, topics: Topics, tables: Iterable[Consumer]) -> None:
    """Tells the broker of every group and of who writes."""
    memberships: list[Membership] = [
        *(consumers.membership_of(table, topics) for table in tables),
        work_queue.membership_of("dispatch", topics),
        work_queue.membership_of("webhooks", topics),
    ]
    for membership in memberships:
        declared(broker, membership, _Nobody())(_handled)
    for topic in topics.log:
        broker.publisher(topic, title=f"{RELAY}:{topic}", description="Publishes the log.")
    broker.publisher(
        topics.dead_letters,
        title=f"consumers:{topics.dead_letters}",
        description="Copies of the records that a consumer could not handle.",
    )


async def _handled(_records: object) -> None: ...


def _operations(spec: Mapping[str, Any], topics: Topics) -> dict[str, Any]:
    """FastStream's operations, each on the channel that is its topic."""
    operations: dict[str, Any] = {}
    for operation in spec["operations"].values():
        title = unquote(operation["channel"]["$ref"]).removeprefix("#/channels/")
        channel = spec["channels"][title]
        who = title.partition(":")[0]
        family = channel["address"].removeprefix(f"{topics.prefix}.")
        operations[f"{who}.{operation['action']}.{family}"] = {
            "action": operation["action"],
            "title": who,
            "summary": channel.get("description", ""),
            "channel": {"$ref": f"#/channels/{family}"},
        }
    return dict(sorted(operations.items()))


def _channel(spec: Mapping[str, Any], topic: str, messages: Sequence[str]) -> dict[str, Any]:
    known = next(one for one in spec["channels"].values() if one["address"] == topic)
    return {
        "address": topic,
        "servers": [{"$ref": f"#/servers/{SERVER}"}],
        "bindings": known["bindings"],
        "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages},
    }


def _messages_in(family: str, events: Sequence[Mapping[str, Any]]) -> list[str]:
    return [_key(event) for event in events if family in families_of([event["name"]])]


def _key(event: Mapping[str, Any]) -> str:
    return f"{event['name']}.v{event['version']}"


def _message(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": event["name"],
        "title": f"{event['name']}@{event['version']}",
        "summary": event["meaning"],
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/{ENVELOPE}"},
        "payload": _at_home(event["schema"]),
        "bindings": {"kafka": {"key": {"type": "string", "description": "The stream."}}},
    }


def _dead_letter() -> dict[str, Any]:
    return {
        "name": "dead_letter",
        "title": "A record that could not be handled",
        "summary": "The record as it came, key, value and headers, and what happened to it.",
        "headers": _headers(DEAD_LETTER_HEADERS, {**HEADERS, **OPTIONAL_HEADERS}),
        "payload": {},
    }


def _headers(required: Mapping[str, str], optional: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", "description": text}
            for name, text in {**required, **optional}.items()
        },
        "required": list(required),
    }


def _at_home(schema: Any) -> Any:
    """The schema with its references into this document."""
    if isinstance(schema, Mapping):
        return {
            name: part.replace("#/$defs/", "#/components/schemas/")
            if name == "$ref"
            else _at_home(part)
            for name, part in schema.items()
        }
    if isinstance(schema, list | tuple):
        return [_at_home(part) for part in schema]
    return schema
