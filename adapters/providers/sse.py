"""Server-sent events out of bytes that come in any portions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\n|\r(?!$)")


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event: its name, "" where it has none, and its data lines joined."""

    name: str
    data: bytes


class SseParser:
    """Cuts bytes into events; comments and unknown fields are passed over."""

    def __init__(self) -> None:
        self._pending = b""
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, part: bytes) -> Iterator[ServerSentEvent]:
        """The events that `part` completes."""
        *lines, self._pending = _LINE_END.split(self._pending + part)
        for line in lines:
            if not line:
                yield from self._event()
                continue
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                self._data.append(value)
            elif field == b"event":
                self._name = value.decode(errors="replace")

    def end(self) -> Iterator[ServerSentEvent]:
        """What a last event without its blank line says."""
        yield from self.feed(b"\n\n")

    def _event(self) -> Iterator[ServerSentEvent]:
        if self._data:
            yield ServerSentEvent(self._name, b"\n".join(self._data))
        self._name, self._data = "", []
