"""The `webhook_deliveries` read model: every delivery with its attempts, at any position."""

from collections.abc import Iterable, Mapping
from typing import Any

from domain.event import Event, Recorded
from domain.inference.view import seconds
from domain.webhooks.events import (
    AttemptResult,
    DeliveryAttempted,
    DeliveryScheduled,
    RedeliveryRequested,
)
from projections import tables
from projections.folding import Projection, Row, RowKey, Rows, from_json, require, to_json

TABLE = tables.WEBHOOK_DELIVERIES.name
STATUS_AFTER: dict[AttemptResult, str] = {
    "delivered": "delivered",
    "retry": "pending",
    "failed": "failed",
    "disabled": "disabled",
}


def keys(recorded: Recorded[Event]) -> Iterable[RowKey]:
    """The delivery's row."""
    match recorded.event:
        case DeliveryScheduled() as event:
            return ((TABLE, event.delivery_id, True),)
        case DeliveryAttempted() | RedeliveryRequested() as event:
            return ((TABLE, event.delivery_id, False),)
        case _:
            return ()


def fold(rows: Rows, recorded: Recorded[Event]) -> None:
    """The change that one event makes to its delivery's row."""
    match recorded.event:
        case DeliveryScheduled() as event:
            rows.put(TABLE, _scheduled(recorded, event))
        case DeliveryAttempted() as event:
            row = require(rows, TABLE, event.delivery_id)
            rows.put(TABLE, row | _change(row, recorded.position, _attempted(event)))
        case RedeliveryRequested() as event:
            row = require(rows, TABLE, event.delivery_id)
            requested = {"status": "pending", "next_attempt_at": event.due_at}
            rows.put(TABLE, row | _change(row, recorded.position, requested))


def _scheduled(recorded: Recorded[Event], event: DeliveryScheduled) -> Row:
    return {
        "id": event.delivery_id,
        "account_id": recorded.account_id,
        "position": recorded.position,
        "event_id": event.message_id,
        "event_type": event.event_type,
        "endpoint_id": event.endpoint_id,
        "job_id": event.job_id,
        "url": event.url,
        "due_at": event.due_at,
        "status": "pending",
        "status_position": recorded.position,
        "next_attempt_at": event.due_at,
        "history": "[]",
        "created_at": recorded.recorded_at,
    }


def _attempted(event: DeliveryAttempted) -> Row:
    return {
        "status": STATUS_AFTER[event.result],
        "next_attempt_at": event.next_attempt_at,
        "attempt": {
            "at": seconds(event.at),
            "status_code": event.status_code,
            "error": event.error,
            "duration_ms": event.duration_ms,
        },
    }


def _change(row: Row, position: int, change: Row) -> Row:
    return {
        "status": change["status"],
        "status_position": position,
        "next_attempt_at": change["next_attempt_at"],
        "history": to_json([*from_json(row["history"]), {"position": position, **change}]),
    }


def delivery_object(row: Mapping[str, Any], as_of: int) -> dict[str, Any]:
    """The delivery as customers see it, as it was at position `as_of`."""
    first = {"status": "pending", "next_attempt_at": row["due_at"]}
    changes = [c for c in from_json(row["history"]) if c["position"] <= as_of]
    last = changes[-1] if changes else first
    return {
        "id": row["id"],
        "object": "webhook_delivery",
        "event_id": row["event_id"],
        "event_type": row["event_type"],
        "job_id": row["job_id"],
        "endpoint_id": row["endpoint_id"],
        "url": row["url"],
        "status": last["status"],
        "attempts": [change["attempt"] for change in changes if "attempt" in change],
        "next_attempt_at": seconds(last["next_attempt_at"]),
        "created_at": seconds(row["created_at"]),
    }


PROJECTION = Projection(
    name="webhook_deliveries",
    version=1,
    tables=(tables.WEBHOOK_DELIVERIES,),
    event_types=(DeliveryScheduled, DeliveryAttempted, RedeliveryRequested),
    keys=keys,
    fold=fold,
)
