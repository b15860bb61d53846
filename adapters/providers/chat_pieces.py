"""Reading a chat completion for callers of another wire."""

from collections.abc import Iterator
from typing import Any

from adapters.providers.failures import failure_of_error
from adapters.providers.replies import parsed_object
from adapters.providers.sse import SseParser
from adapters.providers.usage import parse_usage, raw_usage, usage_of
from domain.dialects.chat.replies import ChunkReader
from domain.dialects.pieces import Piece, UsageReported


class ChatPieceReader:
    """See `adapters.providers.translated.PieceReader`; ids that are missing come from `seed`."""

    def __init__(self, seed: str, *, streamed: bool) -> None:
        self._chunks = ChunkReader(seed)
        self._events = SseParser() if streamed else None
        self._parts: list[bytes] = []
        self.is_done = False

    def feed(self, part: bytes) -> Iterator[Piece]:
        if self._events is None:
            self._parts.append(part)
            return
        for event in self._events.feed(part):
            yield from self._event(event.data)

    def end(self) -> Iterator[Piece]:
        if self._events is None:
            content = b"".join(self._parts)
            body = _checked(content)
            yield from _usage(body, content)
            yield from self._chunks.whole(body)
        else:
            for event in self._events.end():
                yield from self._event(event.data)

    def _event(self, content: bytes) -> Iterator[Piece]:
        content = content.strip()
        if content == b"[DONE]":
            self.is_done = True
            yield from self._chunks.done()
        elif content:
            chunk = _checked(content)
            yield from _usage(chunk, content)
            yield from self._chunks.chunk(chunk)


def _checked(content: bytes) -> dict[str, Any]:
    body = parsed_object(content)
    if body.get("error"):
        raise failure_of_error(body["error"])
    return body


def _usage(body: dict[str, Any], content: bytes) -> Iterator[Piece]:
    usage = parse_usage(usage_of(body))
    if usage is not None:
        yield UsageReported(usage, raw_usage(content))
