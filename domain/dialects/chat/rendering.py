"""An answer in the canonical form as a chat completion, whole or in chunks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.dialects.canonical import Answer, Choice, Redacted, Refusal, Text, Thinking, ToolCall
from domain.dialects.chat.reasoning import (
    reasoning_fields,
    redacted_detail,
    signature_field,
    text_detail,
)
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


def whole(answer: Answer) -> Body:
    """See `domain.dialects.surface.Surface.whole`."""
    return {"choices": [_choice(index, one) for index, one in enumerate(answer.choices)]}


def _choice(index: int, choice: Choice) -> dict[str, Any]:
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(part.text for part in choice.parts if isinstance(part, Text)) or None,
        "refusal": "".join(p.text for p in choice.parts if isinstance(p, Refusal)) or None,
        **reasoning_fields(choice.parts),
    }
    if calls:
        message["tool_calls"] = [written_call(call) for call in calls]
    elif message["content"] is None and message["refusal"] is None:
        message["content"] = ""
    return {
        "index": index,
        "message": message,
        "logprobs": None,
        "finish_reason": choice.finish,
    }


def written_call(call: ToolCall) -> dict[str, Any]:
    """A tool call as a message has it; no arguments are an empty object, which can be parsed."""
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments or "{}"},
        **signature_field(call.signature, call.vendor),
    }


@dataclass(slots=True)
class _Told:
    """What the chunks of one choice have said so far."""

    has_begun: bool = False
    thinking: list[str] = field(default_factory=list)
    details: int = 0
    bare_calls: set[int] = field(default_factory=set)


class ChunkRenderer:
    """See `domain.dialects.surface.Renderer`."""

    def __init__(self) -> None:
        self._told: dict[int, _Told] = {}

    def deltas(self, piece: Piece) -> Sequence[Delta]:
        if isinstance(piece, UsageReported):
            return ()
        told = self._told.setdefault(piece.choice, _Told())
        if isinstance(piece, Finished):
            bare = [_arguments(index, "{}") for index in sorted(told.bare_calls)]
            deltas = [self._chunk(piece.choice, {"tool_calls": [call]}) for call in bare]
            return [*deltas, self._chunk(piece.choice, {}, piece.reason)]
        return (self._chunk(piece.choice, _delta(piece, told)),)

    def _chunk(self, choice: int, delta: dict[str, Any], finish: str | None = None) -> Delta:
        told = self._told[choice]
        if not told.has_begun:
            told.has_begun = True
            delta = {"role": "assistant", "content": None, **delta}
        return {
            "choices": [
                {"index": choice, "delta": delta, "logprobs": None, "finish_reason": finish}
            ]
        }


def _delta(piece: Piece, told: _Told) -> dict[str, Any]:
    match piece:
        case TextDelta(text=text):
            return {"content": text}
        case RefusalDelta(text=text):
            return {"refusal": text}
        case ThinkingDelta(text=text):
            told.thinking.append(text)
            return {"reasoning_content": text}
        case ThinkingSigned():
            return {"reasoning_details": [_detail(piece, told)]}
        case ToolStarted():
            told.bare_calls.add(piece.index)
            return {"tool_calls": [_started(piece)]}
        case ToolArguments(index=index, text=text):
            if text:
                told.bare_calls.discard(index)
            return {"tool_calls": [_arguments(index, text)]}
        case _:
            return {}


def _detail(piece: ThinkingSigned, told: _Told) -> dict[str, Any]:
    index, told.details = told.details, told.details + 1
    if piece.redacted is not None:
        return redacted_detail(Redacted(data=piece.redacted, vendor=piece.vendor), index)
    text, told.thinking = "".join(told.thinking), []
    return text_detail(Thinking(text=text, signature=piece.signature, vendor=piece.vendor), index)


def _started(piece: ToolStarted) -> dict[str, Any]:
    return {
        "index": piece.index,
        "id": piece.id,
        "type": "function",
        "function": {"name": piece.name, "arguments": ""},
        **signature_field(piece.signature, piece.vendor),
    }


def _arguments(index: int, text: str) -> dict[str, Any]:
    return {"index": index, "function": {"arguments": text}}
