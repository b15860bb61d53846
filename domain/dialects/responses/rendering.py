"""An answer in the canonical form as a response, whole or in events."""

from collections.abc import Iterator, Sequence
from typing import Any

from domain.dialects.canonical import (
    Answer,
    Choice,
    FinishReason,
    Part,
    Redacted,
    Refusal,
    Text,
    Thinking,
    ToolCall,
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
from domain.dialects.responses.growing import (
    GrowingCall,
    GrowingMessage,
    GrowingReasoning,
    Item,
    Said,
    call_item,
    message_item,
    reasoning_item,
    said_part,
)
from domain.dialects.responses.signatures import encrypted_of
from domain.dialects.responses.words import ending
from domain.dialects.surface import Body, Delta


def whole(answer: Answer) -> Body:
    """See `domain.dialects.surface.Surface.whole`; this wire has one choice."""
    choice = answer.choices[0]
    return {**ending(choice.finish), "output": list(_items(choice))}


def _items(choice: Choice) -> Iterator[Item]:
    said: list[dict[str, Any]] = []
    for part in choice.parts:
        if isinstance(part, Text | Refusal):
            kind: Said = "refusal" if isinstance(part, Refusal) else "output_text"
            said.append(said_part(kind, part.text))
            continue
        if said:
            yield message_item(said, _status(choice.finish))
            said = []
        yield _item(part, choice.finish)
    if said:
        yield message_item(said, _status(choice.finish))


def _item(part: Part, finish: FinishReason) -> Item:
    match part:
        case Thinking():
            return reasoning_item(part.text, encrypted_of(part))
        case Redacted():
            return reasoning_item("", encrypted_of(part))
        case ToolCall():
            return call_item(part, _status(finish))
        case _:
            raise ValueError("an answer holds what no answer can")


def _status(finish: FinishReason) -> str:
    return "incomplete" if finish == "length" else "completed"


def _called(piece: ToolStarted) -> ToolCall:
    return ToolCall(
        id=piece.id,
        name=piece.name,
        arguments="",
        signature=piece.signature,
        vendor=piece.vendor,
    )


class EventRenderer:
    """See `domain.dialects.surface.Renderer`; the response itself is `OutgoingResponse`'s.

    Items may be open side by side: each event says which it belongs to.
    """

    def __init__(self) -> None:
        self._count = 0
        self._message: GrowingMessage | None = None
        self._reasoning: GrowingReasoning | None = None
        self._calls: dict[int, GrowingCall] = {}

    def deltas(self, piece: Piece) -> Sequence[Delta]:
        # A usage is no part of the answer, and of several choices this wire has but one.
        if isinstance(piece, UsageReported) or piece.choice != 0:
            return ()
        return list(self._events(piece))

    def _events(self, piece: Piece) -> Iterator[Delta]:
        match piece:
            case TextDelta(text=text) if text:
                yield from self._said("output_text", text)
            case RefusalDelta(text=text) if text:
                yield from self._said("refusal", text)
            case ThinkingDelta(text=text) if text:
                yield from self._thought()
                yield from self._reasoning.grown(text) if self._reasoning else ()
            case ThinkingSigned():
                yield from self._signed(piece)
            case ToolStarted():
                call = GrowingCall(self._next(), _called(piece))
                self._calls[piece.index] = call
                yield from call.opened()
            case ToolArguments(index=index, text=text) if text:
                yield from self._calls[index].grown(text)
            case Finished():
                yield from self._finished(piece.reason)
            case _:
                pass

    def _next(self) -> int:
        index, self._count = self._count, self._count + 1
        return index

    def _said(self, kind: Said, text: str) -> Iterator[Delta]:
        yield from self._end_reasoning()
        if self._message is None:
            self._message = GrowingMessage(self._next())
            yield from self._message.opened()
        yield from self._message.grown(kind, text)

    def _thought(self) -> Iterator[Delta]:
        yield from self._end_message("completed")
        if self._reasoning is None:
            self._reasoning = GrowingReasoning(self._next())
            yield from self._reasoning.opened()

    def _signed(self, piece: ThinkingSigned) -> Iterator[Delta]:
        if piece.redacted is not None:  # it is reasoning of its own
            yield from self._end_reasoning()
        yield from self._thought()
        if self._reasoning is not None:
            self._reasoning.sign(piece.vendor, piece.signature, piece.redacted)
        yield from self._end_reasoning()

    def _finished(self, reason: FinishReason) -> Iterator[Delta]:
        yield from self._end_reasoning()
        yield from self._end_message(_status(reason))
        for _, call in sorted(self._calls.items()):
            yield from call.closed(_status(reason))
        told = ending(reason)
        yield {"type": f"response.{told['status']}", "response": told}

    def _end_reasoning(self) -> Iterator[Delta]:
        reasoning, self._reasoning = self._reasoning, None
        if reasoning is not None:
            yield from reasoning.closed()

    def _end_message(self, status: str) -> Iterator[Delta]:
        message, self._message = self._message, None
        if message is not None:
            yield from message.closed(status)
