"""One sample of every event type, with every field set, always the same."""

import dataclasses
import zlib
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from domain.event import Event, Recorded


def sample(event_type: type[Event]) -> Event:
    """An event of this type."""
    return _filled(event_type)  # type: ignore[no-any-return]


def sample_recorded(event_type: type[Event]) -> Recorded[Event]:
    """The sample in an envelope that is full too."""
    return Recorded(
        position=7,
        stream="stream_1",
        version=3,
        event_id="evt_00000000000000000000000000000001",
        recorded_at=1_700_000_000_123,
        account_id="acct_00000000000000000000000000000002",
        actor_type="key",
        actor_id="key_00000000000000000000000000000003",
        correlation_id="req_00000000000000000000000000000004",
        causation_id="evt_00000000000000000000000000000005",
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        event=sample(event_type),
    )


def _filled(cls: Any) -> Any:
    hints = get_type_hints(cls)
    return cls(
        **{field.name: _value(field.name, hints[field.name]) for field in dataclasses.fields(cls)}
    )


def _value(name: str, hint: Any) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _filled(hint)
    if origin is Literal:
        return parts[0]
    if origin is tuple:
        return (_value(name, parts[0]),)
    if origin is dict:
        return {"key": _value(name, parts[1])}
    if origin is not None:  # a union: the first that is not None
        return _value(name, next(part for part in parts if part is not NoneType))
    return _plain(name, hint)


def _plain(name: str, hint: type) -> Any:
    values = {
        str: f"{name} ✓",
        bytes: name.encode() + b"\x00\xff",
        bool: True,
        int: zlib.crc32(name.encode()),
    }
    return values[hint]
