"""Reading what `generateContent` answers, whole or as server-sent events.

Each event is a whole reply that holds some of the answer: its parts go on where the last ended,
a function call comes complete, and its counts replace those before.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from adapters.providers.failures import UNREADABLE
from adapters.providers.gemini.refusals import google_error
from adapters.providers.gemini.usage import parse_usage_metadata
from adapters.providers.replies import malformed
from adapters.providers.sse import SseParser
from domain.dialects.canonical import FinishReason
from domain.dialects.fields import made_up_id
from domain.dialects.pieces import (
    Finished,
    Piece,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolArguments,
    ToolStarted,
    UsageReported,
)
from domain.inference.events import Usage
from domain.ports.provider import ProviderFailure

_NOTHING = msgspec.Raw(b"null")
_FINISHES: Mapping[str, FinishReason] = {
    "STOP": "stop",
    "FINISH_REASON_UNSPECIFIED": "stop",
    "UNEXPECTED_TOOL_CALL": "stop",
    "MAX_TOKENS": "length",
    "TOO_MANY_TOOL_CALLS": "length",
    "CONTINUATION": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "IMAGE_OTHER": "content_filter",
    "NO_IMAGE": "content_filter",
    "OTHER": "content_filter",
    "PUP_LIMITED_DISABLED": "content_filter",
}
# The model went astray by chance: asked once more, it may do better.
_ASTRAY = frozenset({"MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE"})


class _Call(msgspec.Struct):
    name: str
    id: str | None = None
    args: msgspec.Raw = _NOTHING


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool = False
    thought_signature: str | None = None
    function_call: _Call | None = None
    inline_data: dict[str, Any] | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    index: int = 0


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Reply(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: msgspec.Raw = _NOTHING
    error: Any = None


_DECODE_REPLY = msgspec.json.Decoder(_Reply).decode
_DECODE_REPLIES = msgspec.json.Decoder(list[_Reply]).decode


class GeminiReader:
    """See `adapters.providers.translated.PieceReader`; `names` gives the callers' names of tools
    that had to be called otherwise. `request_id` makes the ids of calls that come without.
    """

    def __init__(self, request_id: str, names: Mapping[str, str], *, streamed: bool) -> None:
        self._request_id = request_id
        self._names = names
        self._events = SseParser() if streamed else None
        self._parts: list[bytes] = []
        self._choices: dict[int, _Choice] = {}
        self._counted: bytes | None = None
        self._has_told_usage = False

    @property
    def is_done(self) -> bool:
        """Google says no last word; with the finish and the counts nothing is missing."""
        return self._has_told_usage and all(one.has_finished for one in self._choices.values())

    @property
    def counted(self) -> Usage | None:
        """What Google has counted so far: it tells with every event, and we with the last."""
        counted = self._counted
        return None if counted is None else parse_usage_metadata(msgspec.json.decode(counted))

    def feed(self, part: bytes) -> Iterator[Piece]:
        if self._events is None:
            self._parts.append(part)
            return
        for event in self._events.feed(part):
            yield from self._content(event.data)

    def end(self) -> Iterator[Piece]:
        if self._events is None:
            yield from self._content(b"".join(self._parts))
        else:
            for event in self._events.end():
                yield from self._content(event.data)
        yield from self._usage()

    def _content(self, content: bytes) -> Iterator[Piece]:
        if content == b"[DONE]":
            return  # some hosts say so, as they do in other wires
        try:
            if content.lstrip().startswith(b"["):
                replies = _DECODE_REPLIES(content)
            else:
                replies = [_DECODE_REPLY(content)]
        except UNREADABLE as error:
            raise malformed() from error
        for reply in replies:
            yield from self._reply(reply)

    def _reply(self, reply: _Reply) -> Iterator[Piece]:
        if reply.error:
            raise google_error(reply.error)
        counted = bytes(reply.usage_metadata)
        if counted != b"null":
            self._counted = counted
        finished: list[Piece] = []
        for candidate in reply.candidates or ():
            choice = self._choice(candidate.index)
            yield from choice.pieces(candidate.content)
            finished += choice.finish(candidate.finish_reason)
        if not self._choices and reply.prompt_feedback and reply.prompt_feedback.block_reason:
            finished += self._choice(0).finish("SAFETY")
        if finished or self._has_told_usage:
            yield from self._usage()
        yield from finished

    def _usage(self) -> Iterator[Piece]:
        """The last counts, unless they were told already or make no sense."""
        counted, self._counted = self._counted, None
        if counted is None:
            return
        usage = parse_usage_metadata(msgspec.json.decode(counted))
        if usage is not None:
            self._has_told_usage = True
            yield UsageReported(usage, counted.decode())

    def _choice(self, index: int) -> "_Choice":
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index, self._request_id, self._names)
        return choice


class _Choice:
    """One candidate on its way in."""

    def __init__(self, index: int, request_id: str, names: Mapping[str, str]) -> None:
        self._index = index
        self._request_id = request_id
        self._names = names
        self._calls = 0
        self._has_begun = False
        self.has_finished = False

    def pieces(self, content: _Content | None) -> Iterator[Piece]:
        for part in (content and content.parts) or ():
            self._has_begun = True
            if part.inline_data is not None:
                raise ProviderFailure("unsupported", "the answer holds media that is no text")
            if part.function_call is not None:
                yield from self._call(part.function_call, part.thought_signature)
                continue
            if part.text:
                delta = ThinkingDelta if part.thought else TextDelta
                yield delta(part.text, self._index)
            if part.thought_signature:
                yield ThinkingSigned(
                    vendor="google", signature=part.thought_signature, choice=self._index
                )

    def _call(self, call: _Call, signature: str | None) -> Iterator[Piece]:
        index, self._calls = self._calls, self._calls + 1
        yield ToolStarted(
            index=index,
            id=call.id or made_up_id("call_", self._request_id, self._index, index),
            name=self._names.get(call.name, call.name),
            signature=signature,
            vendor="google" if signature else None,
            choice=self._index,
        )
        arguments = bytes(call.args)
        compact = b"{}" if arguments == b"null" else msgspec.json.format(arguments, indent=-1)
        yield ToolArguments(index, compact.decode(), self._index)

    def finish(self, word: str | None) -> list[Piece]:
        """The end of the choice. Raises `ProviderFailure` for one that is no answer's."""
        if not word or self.has_finished:
            return []
        if word in _ASTRAY:
            raise ProviderFailure("server_error", "the model's answer was malformed")
        reason = _FINISHES.get(word)
        if reason is None or (word == "UNEXPECTED_TOOL_CALL" and not self._has_begun):
            raise ProviderFailure("malformed", "the answer ended in a way that is no answer's")
        self.has_finished = True
        if reason == "stop" and self._calls:
            reason = "tool_calls"
        return [Finished(reason, choice=self._index)]
