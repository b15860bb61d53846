"""A message, whole or in events, as the pieces of an answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.dialects.fields import fragment, json_text
from domain.dialects.messages.words import finish_of
from domain.dialects.messages.writing import ANSWER_TOOL
from domain.dialects.pieces import (
    Finished,
    Piece,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolArguments,
    ToolStarted,
)


@dataclass(slots=True)
class _Block:
    """A content block that is open. `tool` counts the tool calls alone."""

    kind: str
    tool: int | None = None
    signature: list[str] = field(default_factory=list)
    input: str = ""
    has_input: bool = False


class EventReader:
    """Takes the events of one message in, or the whole of it.

    Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError` on what makes no sense. What
    Anthropic's own tools did has no canonical form and is passed over.
    """

    def __init__(self) -> None:
        self._blocks: dict[int, _Block] = {}
        self._tools = 0
        self._answers = 0
        self._has_spoken = False

    def event(self, event: Mapping[str, Any]) -> Iterator[Piece]:
        """What an event adds."""
        match event.get("type"):
            case "content_block_start":
                yield from self._start(event["index"], event["content_block"])
            case "content_block_delta":
                block = self._blocks.get(event["index"])
                if block is not None:
                    yield from self._delta(block, event["delta"])
            case "content_block_stop":
                block = self._blocks.pop(event["index"], None)
                if block is not None:
                    yield from self._stop(block)
            case "message_delta":
                yield from self._end(event["delta"])

    def whole(self, message: Mapping[str, Any]) -> Iterator[Piece]:
        """What a whole message says."""
        for index, block in enumerate(message["content"]):
            yield from self._start(index, block)
            opened = self._blocks.pop(index, None)
            if opened is not None:
                opened.signature.append(fragment(block.get("signature")))
                yield from self._stop(opened)
        yield from self._end(message)

    def _start(self, index: int, given: Mapping[str, Any]) -> Iterator[Piece]:
        kind = given.get("type")
        block = _Block(str(kind))
        match kind:
            case "text" if text := fragment(given.get("text")):
                yield self._text(text)
            case "thinking" if text := fragment(given.get("thinking")):
                yield ThinkingDelta(text)
            case "redacted_thinking":
                yield ThinkingSigned(vendor="anthropic", redacted=given["data"])
            case "tool_use" if given["name"] == ANSWER_TOOL:
                self._answers += 1
                block.kind = "answer"
            case "tool_use":
                block.tool, self._tools = self._tools, self._tools + 1
                yield ToolStarted(index=block.tool, id=given["id"], name=given["name"])
            case "text" | "thinking":
                pass
            case _:
                return
        if given.get("input"):
            block.input = json_text(given["input"])
        self._blocks[index] = block

    def _delta(self, block: _Block, delta: Mapping[str, Any]) -> Iterator[Piece]:
        match delta.get("type"):
            case "text_delta" if text := fragment(delta["text"]):
                yield self._text(text)
            case "thinking_delta" if text := fragment(delta["thinking"]):
                yield ThinkingDelta(text)
            case "signature_delta":
                block.signature.append(fragment(delta["signature"]))
            case "input_json_delta" if text := fragment(delta["partial_json"]):
                block.has_input = True
                yield from self._input(block, text)

    def _stop(self, block: _Block) -> Iterator[Piece]:
        if block.kind == "thinking" and (signature := "".join(block.signature)):
            yield ThinkingSigned(vendor="anthropic", signature=signature)
        if block.input and not block.has_input:
            yield from self._input(block, block.input)

    def _input(self, block: _Block, text: str) -> Iterator[Piece]:
        """The arguments of a tool; where the tool was ours to get an answer, that answer."""
        if block.kind == "answer":
            yield self._text(text)
        elif block.tool is not None:
            yield ToolArguments(block.tool, text)

    def _text(self, text: str) -> Piece:
        self._has_spoken = True
        return TextDelta(text)

    def _end(self, told: Mapping[str, Any]) -> Iterator[Piece]:
        stop_reason = told.get("stop_reason")
        if stop_reason is None:
            return
        finish = finish_of(stop_reason)
        if finish == "tool_calls" and self._answers and not self._tools:
            finish = "stop"
        details = told.get("stop_details")
        if finish == "content_filter" and not self._has_spoken and isinstance(details, Mapping):
            explanation = details.get("explanation")
            if isinstance(explanation, str) and explanation:
                yield RefusalDelta(explanation)
        yield Finished(finish, told.get("stop_sequence"))
