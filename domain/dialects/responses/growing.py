"""The output items of a response as they grow, and the events that tell of it.

An item is without an id here: `OutgoingResponse` and `finished` give it one where it has none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from domain.dialects.canonical import Redacted, Thinking, ToolCall, Vendor
from domain.dialects.chat.reasoning import signature_field
from domain.dialects.responses.signatures import encrypted_of
from domain.dialects.surface import Delta

Item = dict[str, Any]
Said = Literal["output_text", "refusal"]


def event(kind: str, index: int, **fields: Any) -> Delta:
    """An event that concerns the output item at `index`."""
    return {"type": f"response.{kind}", "output_index": index, **fields}


def text_part(text: str) -> dict[str, Any]:
    """A part of a message that is text."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def said_part(kind: Said, text: str) -> dict[str, Any]:
    """A part of a message."""
    return text_part(text) if kind == "output_text" else {"type": "refusal", "refusal": text}


def message_item(content: list[dict[str, Any]], status: str = "completed") -> Item:
    """What the model said."""
    return {"type": "message", "status": status, "role": "assistant", "content": content}


def call_item(call: ToolCall, status: str = "completed") -> Item:
    """A call of a function; no arguments are an empty object, which can be parsed."""
    arguments = call.arguments or ("{}" if status == "completed" else "")
    called = {"call_id": call.id, "name": call.name, "arguments": arguments}
    signed = signature_field(call.signature, call.vendor)
    return {"type": "function_call", "status": status, **called, **signed}


def reasoning_item(text: str, encrypted: str | None = None) -> Item:
    """The reasoning that is shown, and what keeps the rest of it."""
    item: Item = {"type": "reasoning", "summary": []}
    if text:
        item["summary"] = [{"type": "summary_text", "text": text}]
    if encrypted is not None:
        item["encrypted_content"] = encrypted
    return item


@dataclass(slots=True)
class GrowingMessage:
    """A message; a refusal after text, or text after it, is a part of its own."""

    index: int
    parts: list[dict[str, Any]] = field(default_factory=list)
    kind: Said | None = None
    texts: list[str] = field(default_factory=list)

    def opened(self) -> Iterator[Delta]:
        yield event("output_item.added", self.index, item=message_item([], "in_progress"))

    def grown(self, kind: Said, text: str) -> Iterator[Delta]:
        if self.kind != kind:
            yield from self._part_closed()
            self.kind = kind
            yield self._of_part("content_part.added", part=said_part(kind, ""))
        self.texts.append(text)
        if kind == "output_text":
            yield self._of_part("output_text.delta", delta=text, logprobs=[])
        else:
            yield self._of_part("refusal.delta", delta=text)

    def closed(self, status: str = "completed") -> Iterator[Delta]:
        yield from self._part_closed()
        yield event("output_item.done", self.index, item=message_item(self.parts, status))

    def _part_closed(self) -> Iterator[Delta]:
        if self.kind is None:
            return
        text = "".join(self.texts)
        if self.kind == "output_text":
            yield self._of_part("output_text.done", text=text, logprobs=[])
        else:
            yield self._of_part("refusal.done", refusal=text)
        part = said_part(self.kind, text)
        yield self._of_part("content_part.done", part=part)
        self.parts.append(part)
        self.kind, self.texts = None, []

    def _of_part(self, kind: str, **fields: Any) -> Delta:
        return event(kind, self.index, content_index=len(self.parts), **fields)


@dataclass(slots=True)
class GrowingReasoning:
    """Reasoning; readable it is told as a summary, which is all that OpenAI's clients see."""

    index: int
    texts: list[str] = field(default_factory=list)
    encrypted: str | None = None

    def opened(self) -> Iterator[Delta]:
        yield event("output_item.added", self.index, item=reasoning_item(""))

    def grown(self, text: str) -> Iterator[Delta]:
        if not self.texts:
            part = {"type": "summary_text", "text": ""}
            yield self._of_summary("reasoning_summary_part.added", part=part)
        self.texts.append(text)
        yield self._of_summary("reasoning_summary_text.delta", delta=text)

    def sign(self, vendor: Vendor, signature: str | None, redacted: str | None) -> None:
        """Keeps what only the vendor can check or read."""
        if redacted is not None:
            self.encrypted = encrypted_of(Redacted(data=redacted, vendor=vendor))
        else:
            self.encrypted = encrypted_of(Thinking(text="", signature=signature, vendor=vendor))

    def closed(self) -> Iterator[Delta]:
        text = "".join(self.texts)
        if self.texts:
            part = {"type": "summary_text", "text": text}
            yield self._of_summary("reasoning_summary_text.done", text=text)
            yield self._of_summary("reasoning_summary_part.done", part=part)
        item = reasoning_item(text, self.encrypted)
        yield event("output_item.done", self.index, item=item)

    def _of_summary(self, kind: str, **fields: Any) -> Delta:
        return event(kind, self.index, summary_index=0, **fields)


@dataclass(slots=True)
class GrowingCall:
    """A call of a function."""

    index: int
    call: ToolCall
    texts: list[str] = field(default_factory=list)

    def opened(self) -> Iterator[Delta]:
        item = call_item(self.call, "in_progress")
        yield event("output_item.added", self.index, item=item)

    def grown(self, text: str) -> Iterator[Delta]:
        self.texts.append(text)
        yield event("function_call_arguments.delta", self.index, delta=text)

    def closed(self, status: str = "completed") -> Iterator[Delta]:
        item = call_item(replace(self.call, arguments="".join(self.texts)), status)
        if item["arguments"] and not any(self.texts):
            yield from self.grown(item["arguments"])
        told = {"name": self.call.name, "arguments": item["arguments"]}
        yield event("function_call_arguments.done", self.index, **told)
        yield event("output_item.done", self.index, item=item)


def replayed_item(index: int, item: Mapping[str, Any]) -> Iterator[Delta]:
    """The events of an item that is whole; its last one has it as it is."""
    match item:
        case {"type": "message", "content": list() as content}:
            message = GrowingMessage(index)
            yield from _within(message.opened(), item)
            for part in content:
                kind: Said = "refusal" if part.get("type") == "refusal" else "output_text"
                yield from message.grown(kind, str(part.get("text") or part.get("refusal") or ""))
            *events, _ = message.closed()
            yield from events
        case {"type": "function_call"}:
            called = str(item.get("call_id")), str(item.get("name"))
            call = GrowingCall(index, ToolCall(id=called[0], name=called[1], arguments=""))
            yield from _within(call.opened(), item)
            if arguments := item.get("arguments"):
                yield from call.grown(str(arguments))
            *events, _ = call.closed()
            yield from events
        case {"type": "reasoning", "summary": list() as summary}:
            reasoning = GrowingReasoning(index)
            yield from _within(reasoning.opened(), item)
            for part in summary:
                yield from reasoning.grown(str(part.get("text") or ""))
            *events, _ = reasoning.closed()
            yield from events
        case _:
            yield event("output_item.added", index, item=item)
    yield event("output_item.done", index, item=item)


def _within(events: Iterator[Delta], item: Mapping[str, Any]) -> Iterator[Delta]:
    """The first event of an item, under the item's own id."""
    for told in events:
        yield {**told, "item": {**told["item"], "id": item["id"]} if "id" in item else told["item"]}
