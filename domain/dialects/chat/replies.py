"""A chat completion, whole or in chunks, as the pieces of an answer.

Hosts differ in the small: reasoning has several names, ids and indexes of tool calls are missing
or repeated, and the last chunk may tell no reason.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from domain.dialects.canonical import FinishReason
from domain.dialects.chat.reasoning import google_signature, reasoning_text, vendor_of
from domain.dialects.chat.think_tags import ThinkTags
from domain.dialects.fields import fragment, json_text, made_up_id
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
from domain.ports.provider import ProviderFailure

FINISHES: Mapping[str, FinishReason] = {
    "stop": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
}


class ChunkReader:
    """Takes the chunks of one completion in, or the whole of it as one.

    Raises `ProviderFailure` when it says that the answer broke, and `TypeError`, `KeyError` or
    `AttributeError` on what is no chunk. Tool calls without an id get one by `seed`.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._choices: dict[int, _Choice] = {}

    def chunk(self, chunk: Mapping[str, Any]) -> Iterator[Piece]:
        """What a chunk adds."""
        for choice in chunk.get("choices") or ():
            reading = self._choice(choice.get("index") or 0)
            yield from reading.delta(choice.get("delta") or {})
            yield from reading.finish(choice.get("finish_reason"))

    def whole(self, body: Mapping[str, Any]) -> Iterator[Piece]:
        """What a whole completion says."""
        for place, choice in enumerate(body.get("choices") or ()):
            reading = self._choice(choice.get("index") or place)
            message = dict(choice["message"])
            calls = message.get("tool_calls") or ()
            message["tool_calls"] = [{**call, "index": i} for i, call in enumerate(calls)]
            yield from reading.delta(message)
            yield from reading.finish(choice.get("finish_reason"))
        yield from self.done()

    def done(self) -> Iterator[Piece]:
        """The end, once the provider said that all has come; a missing reason is "stop"."""
        for choice in self._choices.values():
            yield from choice.finish("stop")

    def _choice(self, index: object) -> "_Choice":
        if not isinstance(index, int):
            raise TypeError("the index of a choice must be an integer")
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index, self._seed)
        return choice


class _Call:
    """One tool call; it begins once its name is known."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = ""
        self.has_begun = False
        self.waiting = ""


class _Choice:
    """One choice on its way in."""

    def __init__(self, index: int, seed: str) -> None:
        self._index = index
        self._seed = seed
        self._calls: list[_Call] = []
        self._places: dict[int, _Call] = {}
        self._tags = ThinkTags(index)
        self._has_finished = False
        self._has_thought = False

    def delta(self, delta: Mapping[str, Any]) -> Iterator[Piece]:
        yield from self._thinking(delta)
        content = delta.get("content")
        if isinstance(content, list):
            yield from self._parts(content)
        elif text := fragment(content):
            yield from self._tags.split(text)
        if refused := fragment(delta.get("refusal")):
            yield from self._tags.end()
            yield RefusalDelta(refused, self._index)
        for call in delta.get("tool_calls") or ():
            yield from self._tool_call(call)
        if old := delta.get("function_call"):
            yield from self._tool_call({"index": 0, "function": old})

    def finish(self, reason: str | None) -> Iterator[Piece]:
        """The end, told once. Some hosts repeat it, or say "stop" after tool calls."""
        if not reason or self._has_finished:
            return
        if reason not in FINISHES:
            raise ProviderFailure("server_error", "the provider's answer ended in an error")
        self._has_finished = True
        yield from self._tags.end()
        finish = FINISHES[reason]
        if finish == "stop" and self._calls:
            finish = "tool_calls"
        yield Finished(finish, choice=self._index)

    def _thinking(self, delta: Mapping[str, Any]) -> Iterator[Piece]:
        details = delta.get("reasoning_details") or ()
        if told := reasoning_text(delta):
            self._has_thought = True
            yield ThinkingDelta(told, self._index)
        for detail in details:
            # Details repeat what was told in plain; where nothing was, they tell it.
            text = fragment(detail.get("text") or detail.get("summary"))
            if text and not self._has_thought:
                yield ThinkingDelta(text, self._index)
            vendor = vendor_of(detail)
            if data := fragment(detail.get("data")):
                yield ThinkingSigned(vendor=vendor, redacted=data, choice=self._index)
            elif signature := fragment(detail.get("signature")):
                yield ThinkingSigned(vendor=vendor, signature=signature, choice=self._index)

    def _parts(self, content: list[Any]) -> Iterator[Piece]:
        """Content as a list of parts, as Mistral's reasoning models send it."""
        for part in content:
            if part.get("type") == "thinking":
                told = part.get("thinking")
                texts = told if isinstance(told, list) else [{"text": told}]
                for one in texts:
                    if text := fragment(one.get("text")):
                        yield ThinkingDelta(text, self._index)
            elif text := fragment(part.get("text")):
                yield TextDelta(text, self._index)

    def _tool_call(self, delta: Mapping[str, Any]) -> Iterator[Piece]:
        yield from self._tags.end()
        call, function = self._call_of(delta), delta.get("function") or {}
        name, arguments = fragment(function.get("name")), _arguments(function.get("arguments"))
        call.waiting += arguments
        if not call.has_begun:
            if not name:
                return
            call.has_begun = True
            call.id = call.id or made_up_id("call_", self._seed, self._index, call.index)
            signature = google_signature(delta)
            yield ToolStarted(
                index=call.index,
                id=call.id,
                name=name,
                signature=signature,
                vendor="google" if signature else None,
                choice=self._index,
            )
        if call.waiting:
            yield ToolArguments(call.index, call.waiting, self._index)
            call.waiting = ""

    def _call_of(self, delta: Mapping[str, Any]) -> _Call:
        """The call that a delta goes on with; a new id starts a new one, whatever its index."""
        index, call_id = delta.get("index"), fragment(delta.get("id"))
        if index is None:
            call = self._calls[-1] if self._calls else None
        else:
            call = self._places.get(index)
        if call is None or (call_id and call.id not in ("", call_id)):
            call = _Call(len(self._calls))
            self._calls.append(call)
            if index is not None:
                self._places[index] = call
        call.id = call.id or call_id
        return call


def _arguments(value: object) -> str:
    """JSON text; a few hosts send the object itself."""
    return json_text(value) if isinstance(value, Mapping) else fragment(value)
