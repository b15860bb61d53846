"""Reading replies of Converse: whole, and as Amazon's binary stream of events."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from adapters.providers.bedrock.failures import exception_of, failure_of_exception
from adapters.providers.bedrock.tools import ANSWER_TOOL
from adapters.providers.replies import malformed, parsed_object
from adapters.providers.reported import text_in, token_count
from adapters.providers.usage import raw_usage
from domain.dialects.canonical import FinishReason
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

# Any other reason, "malformed_tool_use" among them, says that there is no whole answer.
_FINISHES: Final[Mapping[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}


class Blocks:
    """What the blocks of one answer say, in the canonical form."""

    def __init__(self) -> None:
        # The canonical index of each block that is a tool call, and whether it has arguments yet.
        self._calls: dict[int, int] = {}
        self._empty: set[int] = set()
        self._answers: set[int] = set()
        self._passed_over: set[int] = set()

    def started(self, block: int, start: Mapping[str, Any]) -> Iterator[Piece]:
        """A block begins; only those of tools say so."""
        use = start.get("toolUse")
        if use is None:
            return
        if use.get("type"):
            self._passed_over.add(block)  # Amazon's own tool, which it runs itself
        elif use["name"] == ANSWER_TOOL:
            self._answers.add(block)
        else:
            index = self._calls[block] = len(self._calls)
            self._empty.add(block)
            call_id, name = text_in(use, "toolUseId"), text_in(use, "name")
            yield ToolStarted(index=index, id=call_id, name=name)

    def told(self, block: int, delta: Mapping[str, Any]) -> Iterator[Piece]:
        """More of a block."""
        if text := text_in(delta, "text"):
            yield TextDelta(text)
        if reasoning := delta.get("reasoningContent"):
            yield from _reasoned(reasoning)
        if (use := delta.get("toolUse")) and (text := text_in(use, "input")):
            yield from self._argued(block, text)

    def ended(self, block: int) -> Iterator[Piece]:
        """A block is complete; a call without arguments gets an empty object."""
        if block in self._empty:
            yield from self._argued(block, "{}")

    def finished(self, reason: str, extra: object) -> Finished:
        """The answer is complete. Raises `ProviderFailure` when it broke."""
        finish = _FINISHES.get(reason)
        if finish is None:
            raise malformed()
        if self._calls and finish == "stop":
            finish = "tool_calls"
        elif finish == "tool_calls" and not self._calls:
            finish = "stop"  # the answer came by the tool that holds it to its schema
        sequence = extra.get("stop_sequence") if isinstance(extra, dict) else None
        return Finished(finish, sequence if isinstance(sequence, str) else None)

    def _argued(self, block: int, text: str) -> Iterator[Piece]:
        if block in self._answers:
            yield TextDelta(text)
        elif block not in self._passed_over:
            self._empty.discard(block)
            yield ToolArguments(self._calls[block], text)


class ConverseReader:
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
        blocks = Blocks()
        for number, block in enumerate(body["output"]["message"]["content"]):
            yield from _whole_block(blocks, number, block)
        yield blocks.finished(body["stopReason"], body.get("additionalModelResponseFields"))
        yield from _reported(body, content)


class ConverseStreamReader:
    """See `adapters.providers.translated.PieceReader`; frames of `vnd.amazon.eventstream`."""

    def __init__(self) -> None:
        from botocore.eventstream import EventStreamBuffer, ParserError  # noqa: PLC0415  optional

        self._frames = EventStreamBuffer()
        self._unreadable = (ParserError, struct.error, KeyError)
        self._blocks = Blocks()
        self.is_done = False

    def feed(self, part: bytes) -> Iterator[Piece]:
        self._frames.add_data(part)
        while (frame := self._next()) is not None:
            yield from self._frame(frame.headers, frame.payload)

    def end(self) -> Iterable[Piece]:
        return ()

    def _next(self) -> Any:
        try:
            return next(self._frames, None)
        except self._unreadable as error:
            raise malformed() from error

    def _frame(self, headers: Mapping[str, Any], payload: bytes) -> Iterator[Piece]:
        match headers.get(":message-type"):
            case "event":
                yield from self._event(headers.get(":event-type"), payload)
            case "exception":
                raise failure_of_exception(
                    str(headers.get(":exception-type")), exception_of(payload)[1]
                )
            case _:
                raise failure_of_exception(
                    str(headers.get(":error-code")), str(headers.get(":error-message"))
                )

    def _event(self, kind: object, payload: bytes) -> Iterator[Piece]:
        event = parsed_object(payload)
        match kind:
            case "contentBlockStart":
                yield from self._blocks.started(event["contentBlockIndex"], event["start"])
            case "contentBlockDelta":
                yield from self._blocks.told(event["contentBlockIndex"], event["delta"])
            case "contentBlockStop":
                yield from self._blocks.ended(event["contentBlockIndex"])
            case "messageStop":
                extra = event.get("additionalModelResponseFields")
                yield self._blocks.finished(event["stopReason"], extra)
            case "metadata":
                yield from _reported(event, payload)
                self.is_done = True


def usage_of(reported: object) -> Usage | None:
    """The token counts of Converse, whose `inputTokens` leave the cache out."""
    if not isinstance(reported, dict):
        return None
    fresh = token_count(reported, "inputTokens")
    if fresh is None:
        return None
    read = token_count(reported, "cacheReadInputTokens") or 0
    written = token_count(reported, "cacheWriteInputTokens") or 0
    for_an_hour = min(written, _written_for_an_hour(reported.get("cacheDetails")))
    return Usage(
        input_tokens=fresh + read + written,
        output_tokens=token_count(reported, "outputTokens") or 0,
        cached_input_tokens=read,
        cache_write_tokens=written - for_an_hour,
        cache_write_1h_tokens=for_an_hour,
    )


def _written_for_an_hour(details: object) -> int:
    return sum(
        token_count(detail, "inputTokens") or 0
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict) and detail.get("ttl") == "1h"
    )


def _reported(body: Mapping[str, Any], content: bytes) -> Iterator[Piece]:
    usage = usage_of(body.get("usage"))
    if usage is not None:
        yield UsageReported(usage, raw_usage(content))


def _whole_block(blocks: Blocks, number: int, block: Mapping[str, Any]) -> Iterator[Piece]:
    if use := block.get("toolUse"):
        yield from blocks.started(number, {"toolUse": use})
        arguments = msgspec.json.encode(use.get("input") or {}).decode()
        yield from blocks.told(number, {"toolUse": {"input": arguments}})
    elif cited := block.get("citationsContent"):
        for said in cited.get("content") or ():
            yield from blocks.told(number, said)
    else:
        yield from blocks.told(number, block)


def _reasoned(reasoning: Mapping[str, Any]) -> Iterator[Piece]:
    """Reasoning: of a stream bare, of a whole reply within `reasoningText`."""
    said = reasoning.get("reasoningText") or reasoning
    if text := text_in(said, "text"):
        yield ThinkingDelta(text)
    if signature := text_in(said, "signature"):
        yield ThinkingSigned(vendor="bedrock", signature=signature)
    if redacted := text_in(reasoning, "redactedContent"):
        yield ThinkingSigned(vendor="bedrock", redacted=redacted)
