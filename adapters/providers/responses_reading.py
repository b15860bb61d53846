"""Reading a reply of OpenAI's responses wire, for its own callers and for those of others."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from adapters.providers.failures import failure_of_error
from adapters.providers.replies import WholeReading, check_size, malformed, parsed_object
from adapters.providers.sse import SseParser
from adapters.providers.usage import parse_usage
from domain.dialects.pieces import Piece, UsageReported
from domain.dialects.responses.answers import is_content
from domain.dialects.responses.replies import EventReader
from domain.dialects.responses.words import finish_of
from domain.dialects.surface import Delta
from domain.inference.events import Usage
from domain.ports.provider import ProviderFailure, ProviderReply

_ENDS = frozenset({"response.completed", "response.incomplete"})
_STATUSES = frozenset({"completed", "incomplete"})
_SEARCH = "web_search_call"


class _Body(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _LastEvent(msgspec.Struct):
    response: _Body


_BODY, _LAST_EVENT = msgspec.json.Decoder(_Body), msgspec.json.Decoder(_LastEvent)


class WholeResponse(WholeReading):
    """A response that is one JSON object."""

    def reply(self) -> ProviderReply:
        content = b"".join(self._parts)
        body = checked(parsed_object(content))
        return _reply(body, bytes(_BODY.decode(content).usage))


class StreamedResponse:
    """See `adapters.providers.replies.Reading`: the events are passed on as they are."""

    counted: Usage | None = None  # the last event tells it, with the end

    def __init__(self) -> None:
        self._events = SseParser()
        self._size = 0
        self._last: tuple[dict[str, Any], bytes] | None = None
        self.has_begun = False

    @property
    def is_complete(self) -> bool:
        return self._last is not None

    @property
    def is_done(self) -> bool:
        return self._last is not None

    def feed(self, part: bytes) -> Sequence[Delta]:
        self._size += len(part)
        check_size(self._size)
        return [delta for event in self._events.feed(part) for delta in self._event(event.data)]

    def end(self) -> Sequence[Delta]:
        return [delta for event in self._events.end() for delta in self._event(event.data)]

    def reply(self) -> ProviderReply:
        if self._last is None:
            raise ProviderFailure("truncated", "the provider's answer broke off")
        return _reply(*self._last)

    def _event(self, content: bytes) -> Iterator[Delta]:
        event = checked_event(content)
        if event is None or self._last is not None:
            return
        self.has_begun = self.has_begun or is_content(event)
        if event["type"] in _ENDS:
            self._last = event["response"], bytes(_LAST_EVENT.decode(content).response.usage)
        yield event


class ResponsePieces:
    """See `adapters.providers.translated.PieceReader`."""

    def __init__(self, *, streamed: bool) -> None:
        self._reader = EventReader()
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
        if self._events is not None:
            for event in self._events.end():
                yield from self._event(event.data)
            return
        content = b"".join(self._parts)
        body = checked(parsed_object(content))
        yield from _usage(body, bytes(_BODY.decode(content).usage))
        yield from self._reader.whole(body)

    def _event(self, content: bytes) -> Iterator[Piece]:
        event = checked_event(content)
        if event is None or self.is_done:
            return
        if event["type"] in _ENDS:
            self.is_done = True
            raw = bytes(_LAST_EVENT.decode(content).response.usage)
            yield from _usage(event["response"], raw)
        yield from self._reader.event(event)


def checked(body: dict[str, Any]) -> dict[str, Any]:
    """A whole response. Raises `ProviderFailure` for one that failed or never ended."""
    if body.get("error"):
        raise failure_of_error(body["error"])
    if body.get("status") not in _STATUSES or not isinstance(body.get("output"), list):
        raise malformed()
    return body


def checked_event(content: bytes) -> dict[str, Any] | None:
    """One event. Raises `ProviderFailure` for what says that the answer failed."""
    content = content.strip()
    if not content or content == b"[DONE]":
        return None
    event = parsed_object(content)
    match event:
        case {"type": "error"}:
            raise failure_of_error(event.get("error") or event)
        case {"type": "response.failed", "response": dict() as failed}:
            raise failure_of_error(failed.get("error"))
        case {"type": str() as kind} if kind in _ENDS:
            checked(event.get("response") or {})
            return event
        case {"type": str()}:
            return event
        case {"error": dict() as error}:
            raise failure_of_error(error)
        case _:
            return None  # a ping, or another event that carries no part of the answer


def _reply(body: dict[str, Any], raw: bytes) -> ProviderReply:
    usage = _counted(body)
    return ProviderReply(body, usage, raw.decode() if usage else None, finish_of(body))


def _usage(body: dict[str, Any], raw: bytes) -> Iterator[Piece]:
    usage = _counted(body)
    if usage is not None:
        yield UsageReported(usage, raw.decode())


def _counted(body: dict[str, Any]) -> Usage | None:
    """The usage; searches of the web are counted by the items that tell of them."""
    usage, output = parse_usage(body.get("usage")), body.get("output")
    if usage is None or usage.searches is not None or not isinstance(output, list):
        return usage
    made = sum(isinstance(item, dict) and item.get("type") == _SEARCH for item in output)
    return replace(usage, searches=made or None)
