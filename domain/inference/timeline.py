"""A job's events as its owner sees them: no ciphertext, money in USD, times in seconds."""

from dataclasses import fields, is_dataclass
from typing import Any

from domain.event import Event, Recorded
from domain.inference.view import seconds
from domain.money import picodollars_to_usd
from domain.sealed import Sealed

# Of use to the engine alone.
_INTERNAL = frozenset({"input_hash", "lease_id", "stream", "told_as", "worker_id"})


def timeline_object(recorded: Recorded[Event]) -> dict[str, Any]:
    """One entry of `GET /v1/jobs/{id}/events`."""
    return {
        "id": recorded.event_id,
        "type": recorded.event.event_name,
        "version": recorded.event.event_version,
        "position": str(recorded.position),
        "created_at": seconds(recorded.recorded_at),
        "data": shown(recorded.event),
    }


def shown(value: Any) -> Any:
    """A value of an event in the words and units of the wire."""
    if is_dataclass(value) and not isinstance(value, type):
        return dict(
            _shown_field(field.name, getattr(value, field.name))
            for field in fields(value)
            if field.name not in _INTERNAL and not isinstance(getattr(value, field.name), Sealed)
        )
    if isinstance(value, tuple | list):
        return [shown(item) for item in value]
    return value


def _shown_field(name: str, value: Any) -> tuple[str, Any]:
    if name == "picodollars":
        return "amount_usd", picodollars_to_usd(value)
    if name.endswith("_picodollars"):
        usd = None if value is None else picodollars_to_usd(value)
        return name.removesuffix("_picodollars") + "_usd", usd
    if name.endswith(("_at", "_until")):
        return name, seconds(value)
    return name, shown(value)
