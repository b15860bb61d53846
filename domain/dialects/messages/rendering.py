"""An answer in the canonical form as a message, whole or in events.

In this wire one block follows the other and each is closed before the next opens, while the
pieces of several tool calls may come mixed. So only the first block that is not complete is told
as it comes; what belongs to later ones waits for its turn.
"""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.dialects.canonical import Answer, Part, Redacted, Refusal, Text, Thinking, ToolCall
from domain.dialects.fields import json_object
from domain.dialects.messages.signatures import shown_signature, tool_id
from domain.dialects.messages.words import stop_of
from domain.dialects.pieces import (
    Finished,
    Piece,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolArguments,
    ToolStarted,
    UsageReported,
)
from domain.dialects.surface import Body, Delta

_EMPTY_TEXT = {"type": "text", "text": ""}


def whole(answer: Answer) -> Body:
    """See `domain.dialects.surface.Surface.whole`; this wire has one choice."""
    choice = answer.choices[0]
    is_refused = any(isinstance(part, Refusal) for part in choice.parts)
    finish = "content_filter" if is_refused else choice.finish
    return {
        "type": "message",
        "role": "assistant",
        "content": [_written(part) for part in choice.parts] or [dict(_EMPTY_TEXT)],
        "stop_reason": stop_of(finish, choice.stop_sequence),
        "stop_sequence": choice.stop_sequence,
    }


def _written(part: Part) -> dict[str, Any]:
    match part:
        case Text(text=text) | Refusal(text=text):
            return {"type": "text", "text": text}
        case Thinking():
            signature = shown_signature(part.signature, part.vendor)
            return {"type": "thinking", "thinking": part.text, "signature": signature}
        case Redacted():
            return {"type": "redacted_thinking", "data": _shown_data(part.data, part.vendor)}
        case ToolCall():
            used = {"id": tool_id(part.id), "name": part.name}
            return {"type": "tool_use", **used, "input": json_object(part.arguments)}
        case _:
            raise ValueError("an answer holds what no answer can")


def _shown_data(data: str, vendor: Any) -> str:
    return data if vendor == "anthropic" else shown_signature(data, vendor)


@dataclass(slots=True)
class _Block:
    """One content block: how it starts, and the deltas that are still to be told."""

    start: dict[str, Any]
    waiting: list[dict[str, Any]] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    is_signed: bool = False

    @property
    def kind(self) -> str:
        return str(self.start["type"])

    def is_over(self) -> bool:
        """Whether nothing more can come, now that there is a later block."""
        if self.kind != "tool_use":
            return True
        text = "".join(self.arguments)
        if not text.rstrip().endswith("}"):
            return False
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return False
        return True


class EventRenderer:
    """See `domain.dialects.surface.Renderer`; the head and the usage are `OutgoingMessage`'s."""

    def __init__(self) -> None:
        self._blocks: deque[_Block] = deque()
        self._tools: dict[int, _Block] = {}
        self._index = 0
        self._has_begun = False
        self._is_open = False
        self._is_refused = False

    def deltas(self, piece: Piece) -> Sequence[Delta]:
        # A usage is no part of the answer, and of several choices this wire has but one.
        if isinstance(piece, UsageReported) or piece.choice != 0:
            return ()
        events: list[Delta] = []
        if not self._has_begun:
            self._has_begun = True
            events.append({"type": "message_start", "message": _empty_message()})
        if isinstance(piece, Finished):
            return [*events, *self._end(piece)]
        self._take(piece)
        events.extend(self._told())
        return events

    def _take(self, piece: Piece) -> None:
        match piece:
            case TextDelta(text=text):
                self._grow("text", {"type": "text_delta", "text": text}, text)
            case RefusalDelta(text=text):
                self._is_refused = True
                self._grow("text", {"type": "text_delta", "text": text}, text)
            case ThinkingDelta(text=text):
                self._grow("thinking", {"type": "thinking_delta", "thinking": text}, text)
            case ThinkingSigned():
                self._sign(piece)
            case ToolStarted():
                used = {"id": tool_id(piece.id), "name": piece.name, "input": {}}
                block = _Block({"type": "tool_use", **used})
                self._tools[piece.index] = block
                self._blocks.append(block)
            case ToolArguments(index=index, text=text) if text:
                block = self._tools[index]
                block.arguments.append(text)
                block.waiting.append({"type": "input_json_delta", "partial_json": text})
            case _:
                pass

    def _grow(self, kind: str, delta: dict[str, Any], text: str) -> None:
        if not text:
            return
        last = self._blocks[-1] if self._blocks else None
        if last is None or last.kind != kind or last.is_signed:
            last = _Block(_start_of(kind))
            self._blocks.append(last)
        last.waiting.append(delta)

    def _sign(self, piece: ThinkingSigned) -> None:
        if piece.redacted is not None:
            data = _shown_data(piece.redacted, piece.vendor)
            self._blocks.append(_Block({"type": "redacted_thinking", "data": data}))
            return
        last = self._blocks[-1] if self._blocks else None
        if last is None or last.kind != "thinking" or last.is_signed:
            last = _Block(_start_of("thinking"))
            self._blocks.append(last)
        last.is_signed = True
        last.waiting.append(_signature(shown_signature(piece.signature, piece.vendor)))

    def _told(self) -> Iterator[Delta]:
        """What can be told by now."""
        while self._blocks:
            block = self._blocks[0]
            yield from self._tell(block)
            if len(self._blocks) == 1 or not block.is_over():
                return
            yield from self._close()

    def _tell(self, block: _Block) -> Iterator[Delta]:
        if not self._is_open:
            self._is_open = True
            start = {"index": self._index, "content_block": block.start}
            yield {"type": "content_block_start", **start}
        waiting, block.waiting = block.waiting, []
        for delta in waiting:
            yield {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _close(self) -> Iterator[Delta]:
        block = self._blocks.popleft()
        if block.kind == "thinking" and not block.is_signed:
            block.waiting.append(_signature(shown_signature(None, None)))
        yield from self._tell(block)
        yield {"type": "content_block_stop", "index": self._index}
        self._index, self._is_open = self._index + 1, False

    def _end(self, finished: Finished) -> Iterator[Delta]:
        if not self._blocks and self._index == 0:
            self._blocks.append(_Block(_start_of("text")))
        while self._blocks:
            yield from self._tell(self._blocks[0])
            yield from self._close()
        finish = "content_filter" if self._is_refused else finished.reason
        stop_reason = stop_of(finish, finished.stop_sequence)
        told = {"stop_reason": stop_reason, "stop_sequence": finished.stop_sequence}
        yield {"type": "message_delta", "delta": told}
        yield {"type": "message_stop"}


def _start_of(kind: str) -> dict[str, Any]:
    if kind == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}
    return dict(_EMPTY_TEXT)


def _signature(signature: str) -> dict[str, Any]:
    return {"type": "signature_delta", "signature": signature}


def _empty_message() -> dict[str, Any]:
    return {
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }
