"""The AsyncAPI document of this engine: its topics, its consumers and its events."""

import json
from typing import Any

from adapters.kafka.asyncapi import EventDocs, asyncapi_document
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.topics import Topics
from domain.webhooks.directory import Directory
from infra import catalogue
from infra.version import VERSION
from workers.webhooks.intake import WebhookIntake

# The brokers of an installation are nobody's business who reads its documents.
SOMEWHERE = KafkaConnection("kafka:9092")


def document(prefix: str = "gatewayz") -> dict[str, Any]:
    """The document for topics with this prefix."""
    known = catalogue.as_json()
    return asyncapi_document(
        SOMEWHERE,
        Topics(prefix),
        [WebhookIntake(Directory(), _reached).consumer],
        EventDocs(known["events"], known["$defs"]),
        VERSION,
    )


def render(prefix: str = "gatewayz") -> str:
    """The page as JSON."""
    return f"{json.dumps(document(prefix), indent=2, ensure_ascii=False)}\n"


async def _reached(_position: int) -> None:
    """Nothing is handled here."""
