"""An event as a Kafka record, lossless both ways.

The key is the stream, the value the event's data as stored. The envelope stands in headers named
by the Kafka binding of CloudEvents. What would not come back byte for byte, such as a state that
is no envelope, travels as it is under the header `ce_raw`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Protocol

import msgspec

from adapters.codec.events import Envelope, EventCodec
from domain.event import ActorType
from domain.ports.event_store import LogEntry
from domain.ports.stored_rows import StoredRow

Headers = Sequence[tuple[str, bytes]]
SOURCE: Final = b"gatewayz"
POSITION: Final = "ce_position"
RAW: Final = "ce_raw"
# The relay publishes nothing before everything that stands so far before it is acknowledged. A
# reader takes from this whether a gap can still close.
RELAYED_AT_ONCE: Final = 2_000
_MAX_MS: Final = 253_402_300_799_999  # the end of the year 9999
_ACTORS: Final[dict[bytes, ActorType]] = {b"key": "key", b"user": "user", b"system": "system"}
_SPEC_VERSION: Final = ("ce_specversion", b"1.0")
_SOURCE: Final = ("ce_source", SOURCE)
_JSON: Final = ("content-type", b"application/json")
_BYTES: Final = ("content-type", b"application/octet-stream")

_encode = msgspec.json.Encoder().encode
_envelope = msgspec.json.Decoder(Envelope).decode


class NotAnEvent(ValueError):
    """A record that the relay did not write."""


class ReceivedRecord(Protocol):
    """What a record has when it comes from aiokafka or kafka-python."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event as it is published; `at` is its time, None when its state has none."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    at: int | None = None


def record_of(row: StoredRow) -> EventRecord:
    """The record of a stored event."""
    try:
        envelope = _envelope(row.state)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _raw(row)
    if not 0 <= envelope.at <= _MAX_MS or _encode(envelope) != row.state:
        return _raw(row)
    headers = [
        (POSITION, b"%d" % row.position),
        _SPEC_VERSION,
        ("ce_id", envelope.id.encode()),
        _SOURCE,
        *_type_headers(row),
        ("ce_time", _time_text(envelope.at)),
        _JSON,
        ("ce_account", envelope.account.encode()),
        ("ce_actortype", envelope.actor[0].encode()),
        ("ce_actorid", envelope.actor[1].encode()),
        ("ce_correlationid", envelope.correlation.encode()),
    ]
    if envelope.causation is not None:
        headers.append(("ce_causationid", envelope.causation.encode()))
    if envelope.trace is not None:
        headers.append(("ce_traceparent", envelope.trace.encode()))
    return EventRecord(row.stream.encode(), bytes(envelope.data), headers, envelope.at)


def row_of(record: ReceivedRecord) -> StoredRow:
    """The stored event of a record, byte for byte. Raises `NotAnEvent`."""
    headers = dict(record.headers)
    try:
        state = record.value or b"" if RAW in headers else _state(record.value or b"", headers)
        version = headers.get("ce_eventversion")
        name = headers["ce_type"].decode()
        return StoredRow(
            int(headers[POSITION]),
            (record.key or b"").decode(),
            int(headers["ce_streamversion"]),
            name if version is None else f"{name}@{version.decode()}",
            state,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise NotAnEvent(f"the record is no event of this log: {error!r}") from error


def position_of(record: ReceivedRecord) -> int:
    """The place in the log. Raises `NotAnEvent`."""
    for name, value in record.headers:
        if name == POSITION and value.isdigit():
            return int(value)
    raise NotAnEvent("the record has no position")


def decode(record: ReceivedRecord, codec: EventCodec) -> LogEntry:
    """The entry of a record. Raises `NotAnEvent`."""
    row = row_of(record)
    return codec.entry(row.position, row.stream, row.version, row.topic, row.state)


def _raw(row: StoredRow) -> EventRecord:
    headers = [
        (POSITION, b"%d" % row.position),
        _SPEC_VERSION,
        ("ce_id", b"%s/%d" % (row.stream.encode(), row.version)),
        _SOURCE,
        *_type_headers(row),
        _BYTES,
        (RAW, b"1"),
    ]
    return EventRecord(row.stream.encode(), row.state, headers)


def _type_headers(row: StoredRow) -> list[tuple[str, bytes]]:
    name, at, version = row.topic.rpartition("@")
    headers = [
        ("ce_type", (name if at else row.topic).encode()),
        ("ce_subject", row.stream.encode()),
        ("ce_streamversion", b"%d" % row.version),
    ]
    if at:
        headers.append(("ce_eventversion", version.encode()))
    return headers


def _state(value: bytes, headers: dict[str, bytes]) -> bytes:
    causation, trace = headers.get("ce_causationid"), headers.get("ce_traceparent")
    return _encode(
        Envelope(
            headers["ce_id"].decode(),
            _time_ms(headers["ce_time"]),
            headers["ce_account"].decode(),
            (_ACTORS[headers["ce_actortype"]], headers["ce_actorid"].decode()),
            headers["ce_correlationid"].decode(),
            msgspec.Raw(value),
            None if causation is None else causation.decode(),
            None if trace is None else trace.decode(),
        )
    )


def _time_text(unix_ms: int) -> bytes:
    seconds, ms = divmod(unix_ms, 1000)
    return b"%s.%03dZ" % (_second_text(seconds), ms)


def _time_ms(text: bytes) -> int:
    return _second(text[:19]) * 1000 + int(text[20:23])


# Neighbours in the log mostly share their second.
@lru_cache(maxsize=1024)
def _second_text(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()


@lru_cache(maxsize=1024)
def _second(text: bytes) -> int:
    return int(datetime.fromisoformat(f"{text.decode()}+00:00").timestamp())
