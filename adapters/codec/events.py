"""The event codec: msgspec JSON of the envelope and the body, by stored name and version.

The stored topic is `<name>@<version>`. An older version is decoded as what it was and then
upcast step by step; `UPCASTS` names the pure functions.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from domain.errors import UndecodableEvent
from domain.event import ActorType, Event, Recorded
from domain.ports.event_store import LogEntry, Unreadable

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
# (name, version) → the body of version + 1. Empty while every event is at version 1.
UPCASTS: dict[tuple[str, int], Upcast] = {}


class _Stored(msgspec.Struct, omit_defaults=True):
    id: str
    at: int
    account: str
    actor: tuple[ActorType, str]
    correlation: str
    data: Any
    causation: str | None = None
    trace: str | None = None


class Envelope(msgspec.Struct, omit_defaults=True):
    """A stored state with its data left as it is."""

    id: str
    at: int
    account: str
    actor: tuple[ActorType, str]
    correlation: str
    data: msgspec.Raw
    causation: str | None = None
    trace: str | None = None


def topic_of(event_type: type[Event]) -> str:
    """The stored topic of an event type."""
    return f"{event_type.event_name}@{event_type.event_version}"


class EventCodec:
    """Encodes and decodes the given event types; refuses every other."""

    def __init__(
        self,
        event_types: Sequence[type[Event]],
        upcasts: dict[tuple[str, int], Upcast] | None = None,
    ) -> None:
        self._encoder = msgspec.json.Encoder()
        self._envelope = msgspec.json.Decoder(Envelope)
        self._upcasts = UPCASTS if upcasts is None else upcasts
        self._types = {t.event_name: t for t in event_types}
        self._decoders = {topic_of(t): msgspec.json.Decoder(t) for t in event_types}
        self.topics = {t: topic_of(t) for t in event_types}

    def topics_named(self, names: Sequence[str]) -> list[str]:
        """Every stored topic of the named events, older versions included."""
        return [
            f"{name}@{version}"
            for name in names
            for version in range(1, self._types[name].event_version + 1)
        ]

    def encode(self, recorded: Recorded[Event]) -> bytes:
        """The stored state: everything but position, stream, version and topic."""
        return self._encoder.encode(
            _Stored(
                recorded.event_id,
                recorded.recorded_at,
                recorded.account_id,
                (recorded.actor_type, recorded.actor_id),
                recorded.correlation_id,
                recorded.event,
                recorded.causation_id,
                recorded.trace,
            )
        )

    def decode(
        self, position: int, stream: str, version: int, topic: str, state: bytes
    ) -> Recorded[Event]:
        """Reads a stored event. Raises `UndecodableEvent`."""
        try:
            envelope = self._envelope.decode(state)
            event = self._body(topic, envelope.data)
        except (msgspec.MsgspecError, UndecodableEvent, KeyError, ValueError, TypeError) as error:
            raise UndecodableEvent(f"position {position}, {topic}: {error}") from error
        actor_type, actor_id = envelope.actor
        return Recorded(
            position,
            stream,
            version,
            envelope.id,
            envelope.at,
            envelope.account,
            actor_type,
            actor_id,
            envelope.correlation,
            envelope.causation,
            envelope.trace,
            event,
        )

    def entry(self, position: int, stream: str, version: int, topic: str, state: bytes) -> LogEntry:
        """The same, but what cannot be decoded comes back as `Unreadable`."""
        try:
            return self.decode(position, stream, version, topic, state)
        except UndecodableEvent as error:
            return Unreadable(position, stream, topic.partition("@")[0], state, str(error))

    def _body(self, topic: str, data: msgspec.Raw) -> Event:
        decoder = self._decoders.get(topic)
        if decoder is not None:
            return decoder.decode(data)
        name, _, version_text = topic.rpartition("@")
        event_type = self._types.get(name)
        if event_type is None:
            raise UndecodableEvent(f"no event is named {name!r}")
        body: dict[str, Any] = msgspec.json.decode(data)
        version = int(version_text)
        while version < event_type.event_version:
            body = self._upcasts[name, version](body)
            version += 1
        if version != event_type.event_version:
            raise UndecodableEvent(f"{name} version {version} is newer than this engine")
        return msgspec.convert(body, event_type)
