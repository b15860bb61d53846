"""A response, whole or in events, as the pieces of an answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domain.dialects.fields import fragment
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
from domain.dialects.responses.words import finish_of


@dataclass(slots=True)
class _Call:
    """One call; some hosts tell its arguments only when they are whole."""

    index: int
    has_arguments: bool = False


class EventReader:
    """Takes the events of one response in, or the whole of it.

    Raises `TypeError`, `KeyError` or `AttributeError` on what is none.
    """

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        # By output item: whether something readable of it was told.
        self._told: set[int] = set()

    def event(self, event: Mapping[str, Any]) -> Iterator[Piece]:
        """What an event adds; the last one finishes the answer."""
        index = event.get("output_index", 0)
        match event.get("type"):
            case "response.output_item.added":
                yield from self._added(index, event["item"])
            case "response.output_text.delta":
                self._told.add(index)
                yield from _text(event.get("delta"))
            case "response.refusal.delta":
                self._told.add(index)
                yield from _refusal(event.get("delta"))
            case "response.reasoning_summary_part.added" if event.get("summary_index"):
                yield ThinkingDelta("\n\n")
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                self._told.add(index)
                yield from _thinking(event.get("delta"))
            case "response.function_call_arguments.delta":
                yield from self._arguments(index, event.get("delta"))
            case "response.output_item.done":
                yield from self._done(index, event["item"])
            case "response.completed" | "response.incomplete":
                yield Finished(finish_of(event["response"]))
            case _:
                pass

    def whole(self, body: Mapping[str, Any]) -> Iterator[Piece]:
        """What a whole response says."""
        for index, item in enumerate(body["output"]):
            yield from self._added(index, item)
            yield from self._done(index, item)
        yield Finished(finish_of(body))

    def _added(self, index: int, item: Mapping[str, Any]) -> Iterator[Piece]:
        if item["type"] == "function_call" and index not in self._calls:
            call = self._calls[index] = _Call(len(self._calls))
            yield ToolStarted(index=call.index, id=item["call_id"], name=item["name"])

    def _arguments(self, index: int, text: object) -> Iterator[Piece]:
        call = self._calls[index]
        if told := fragment(text):
            call.has_arguments = True
            yield ToolArguments(call.index, told)

    def _done(self, index: int, item: Mapping[str, Any]) -> Iterator[Piece]:
        """The rest of an item: what its deltas did not tell."""
        yield from self._added(index, item)
        match item["type"]:
            case "message" if index not in self._told:
                for part in item["content"]:
                    yield from _text(part.get("text"))
                    yield from _refusal(part.get("refusal"))
            case "function_call" if not self._calls[index].has_arguments:
                yield from self._arguments(index, item.get("arguments"))
            case "reasoning":
                yield from self._reasoned(index, item)
            case _:
                pass

    def _reasoned(self, index: int, item: Mapping[str, Any]) -> Iterator[Piece]:
        if index not in self._told:
            parts = item.get("summary") or item.get("content") or ()
            yield from _thinking("\n\n".join(fragment(part.get("text")) for part in parts))
        if encrypted := fragment(item.get("encrypted_content")):
            yield ThinkingSigned(vendor="openai", signature=encrypted)


def _text(value: object) -> Iterator[Piece]:
    if told := fragment(value):
        yield TextDelta(told)


def _refusal(value: object) -> Iterator[Piece]:
    if told := fragment(value):
        yield RefusalDelta(told)


def _thinking(value: object) -> Iterator[Piece]:
    if told := fragment(value):
        yield ThinkingDelta(told)
