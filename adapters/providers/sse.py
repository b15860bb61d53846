"""Server-sent events out of bytes that come in any portions."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event: its name, "" where it has none, and its data lines joined."""

    name: str
    data: bytes


class SseParser:
    """Cuts bytes into events; comments and unknown fields are passed over."""

    def __init__(self) -> None:
        # The line that is not complete yet, in the parts that it came in.
        self._pending: list[bytes] = []
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, part: bytes) -> Iterator[ServerSentEvent]:
        """The events that `part` completes."""
        for line in self._lines(part):
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

    def _lines(self, part: bytes) -> list[bytes]:
        """The lines that `part` completes. A line of megabytes, as an image makes one, is put
        together once and not with every part.
        """
        held = bool(self._pending) and self._pending[-1].endswith(b"\r")
        self._pending.append(part)
        if not held and b"\n" not in part and b"\r" not in part:
            return []
        lines = b"".join(self._pending).splitlines(keepends=True)
        # A carriage return at the end may be the first half of a line end.
        is_open = lines and not lines[-1].endswith(b"\n")
        self._pending = [lines.pop()] if is_open else []
        return [line.rstrip(b"\r\n") for line in lines]

    def _event(self) -> Iterator[ServerSentEvent]:
        if self._data:
            yield ServerSentEvent(self._name, b"\n".join(self._data))
        self._name, self._data = "", []
