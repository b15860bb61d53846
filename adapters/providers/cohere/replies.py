"""Reading Cohere's replies: whole, and as server-sent events. Citations stay in the text alone."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from adapters.providers.cohere.failures import failure_of_text
from adapters.providers.replies import malformed, parsed_object
from adapters.providers.reported import text_in, token_count
from adapters.providers.sse import SseParser
from adapters.providers.usage import raw_usage
from domain.dialects.canonical import FinishReason
from domain.dialects.pieces import (
    Finished,
    Piece,
    TextDelta,
    ThinkingDelta,
    ToolArguments,
    ToolStarted,
    UsageReported,
)
from domain.inference.events import Usage
from domain.ports.provider import FailureKind

_FINISHES: Final[Mapping[str, FinishReason]] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}
# With these there is no whole answer, though the status was 200.
_BREAKS: Final[Mapping[str, FailureKind]] = {"ERROR": "server_error", "TIMEOUT": "overloaded"}


class _Delta(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _MessageEnd(msgspec.Struct):
    delta: _Delta


_MESSAGE_END = msgspec.json.Decoder(_MessageEnd)


class Calls:
    """The tool calls of one answer, counted from 0 as they begin."""

    def __init__(self) -> None:
        self._places: dict[object, int] = {}
        self._begun = 0
        self._empty: set[int] = set()

    def started(self, at: object, call: Mapping[str, Any]) -> Iterator[Piece]:
        """A call begins; `at` is where Cohere has it."""
        index = self._places[at] = self._begun
        self._begun += 1
        self._empty.add(index)
        function = call["function"]
        yield ToolStarted(index=index, id=text_in(call, "id"), name=text_in(function, "name"))
        yield from self.argued(at, text_in(function, "arguments"))

    def argued(self, at: object, text: str) -> Iterator[Piece]:
        """More of its arguments."""
        if text:
            index = self._places[at]
            self._empty.discard(index)
            yield ToolArguments(index, text)

    def ended(self, at: object) -> Iterator[Piece]:
        """A call is complete; one without arguments gets an empty object."""
        if self._places.get(at) in self._empty:
            yield from self.argued(at, "{}")

    def finished(self, reason: object, error: object = None) -> Finished:
        """The answer is complete. Raises `ProviderFailure` when it broke."""
        finish = _FINISHES.get(str(reason))
        if finish is None:
            kind = _BREAKS.get(str(reason))
            raise failure_of_text(str(error or ""), kind) if kind else malformed()
        if finish == "tool_calls" and not self._places:
            finish = "stop"
        elif finish == "stop" and self._places:
            finish = "tool_calls"
        return Finished(finish)


class CohereReader:
    """See `adapters.providers.translated.PieceReader`; a reply that is one JSON object."""

    is_done = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def feed(self, part: bytes) -> Iterable[Piece]:
        self._parts.append(part)
        return ()

    def end(self) -> Iterator[Piece]:
        content = b"".join(self._parts)
        body = parsed_object(content)
        message, calls = body["message"], Calls()
        if isinstance(message, str):
            raise failure_of_text(message)
        if plan := text_in(message, "tool_plan"):
            yield ThinkingDelta(plan)
        for block in message.get("content") or ():
            yield from _content(block)
        for at, call in enumerate(message.get("tool_calls") or ()):
            yield from calls.started(at, call)
            yield from calls.ended(at)
        yield calls.finished(body["finish_reason"])
        if usage := usage_of(body.get("usage")):
            yield UsageReported(usage, raw_usage(content))


class CohereStreamReader:
    """See `adapters.providers.translated.PieceReader`; an event for each step of the answer."""

    def __init__(self) -> None:
        self._events = SseParser()
        self._calls = Calls()
        self.is_done = False

    def feed(self, part: bytes) -> Iterator[Piece]:
        for event in self._events.feed(part):
            yield from self._event(event.data)

    def end(self) -> Iterator[Piece]:
        for event in self._events.end():
            yield from self._event(event.data)

    def _event(self, content: bytes) -> Iterator[Piece]:
        if content.strip() == b"[DONE]":
            self.is_done = True
            return
        event = parsed_object(content)
        at = event.get("index")
        match event.get("type"):
            case "content-start" | "content-delta":
                yield from _content(event["delta"]["message"]["content"])
            case "tool-plan-delta":
                yield ThinkingDelta(text_in(event["delta"]["message"], "tool_plan"))
            case "tool-call-start":
                yield from self._calls.started(at, _call(event))
            case "tool-call-delta":
                yield from self._calls.argued(at, text_in(_call(event)["function"], "arguments"))
            case "tool-call-end":
                yield from self._calls.ended(at)
            case "message-end":
                yield from self._end(event["delta"], content)
            case None if isinstance(text := event.get("message"), str):
                raise failure_of_text(text)

    def _end(self, delta: Mapping[str, Any], content: bytes) -> Iterator[Piece]:
        yield self._calls.finished(delta.get("finish_reason"), delta.get("error"))
        self.is_done = True
        if usage := usage_of(delta.get("usage")):
            yield UsageReported(usage, bytes(_MESSAGE_END.decode(content).delta.usage).decode())


def usage_of(reported: object) -> Usage | None:
    """What Cohere charges, else what it counted."""
    if not isinstance(reported, dict):
        return None
    charged = reported.get("billed_units") or reported.get("tokens")
    if not isinstance(charged, dict):
        return None
    taken = token_count(charged, "input_tokens")
    if taken is None:
        return None
    return Usage(
        input_tokens=taken,
        output_tokens=token_count(charged, "output_tokens") or 0,
        cached_input_tokens=min(token_count(reported, "cached_tokens") or 0, taken),
    )


def _content(block: Mapping[str, Any]) -> Iterator[Piece]:
    if thinking := text_in(block, "thinking"):
        yield ThinkingDelta(thinking)
    if text := text_in(block, "text"):
        yield TextDelta(text)


def _call(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The call of an event, which older models put into a list."""
    calls = event["delta"]["message"]["tool_calls"]
    call: Mapping[str, Any] = next(iter(calls), {}) if isinstance(calls, list) else calls
    return call
