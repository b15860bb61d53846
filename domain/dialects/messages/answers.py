"""What a message answers: checked, shown under our name, and nothing else in it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.dialects.chat.answers import without_provider_fields
from domain.dialects.fields import json_text
from domain.dialects.messages.words import usage_object
from domain.dialects.surface import Body, Delta, Head
from domain.inference.events import Usage
from domain.rating.estimate import NOTHING, Told, estimated_usage, told_in

# Where a delta or a block holds what the model put out.
_CONTENT = ("text", "thinking", "partial_json")
# What a provider counts that is the customer's to know before the end.
_COUNTS = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "output_tokens",
)
_NO_CONTENT = frozenset({"text", "thinking"})


def is_whole(body: Mapping[str, Any]) -> bool:
    """Whether `body` is a complete message."""
    content = body.get("content")
    return (
        isinstance(content, list)
        and all(isinstance(block, dict) for block in content)
        and isinstance(body.get("stop_reason"), str)
    )


def is_content(delta: Delta) -> bool:
    """Whether an event holds some of the answer; a block of text or thinking begins empty."""
    match delta:
        case {"type": "content_block_delta", "delta": dict() as told}:
            return any(map(told.get, (*_CONTENT, "signature", "citation")))
        case {"type": "content_block_start", "content_block": dict() as block}:
            return block.get("type") not in _NO_CONTENT or any(map(block.get, _CONTENT))
        case _:
            return False


def finished(body: Body, head: Head, usage: Usage) -> Body:
    """The message under our id and model, with the usage that is charged."""
    shown = without_provider_fields(body)
    shown |= {"id": head.id, "type": "message", "role": "assistant", "model": head.model}
    shown["usage"] = usage_object(usage)
    return shown


def added(delta: Delta) -> Told:
    """What an event adds."""
    match delta:
        case {"type": "content_block_delta", "delta": dict() as told}:
            return told_in([told.get(name) for name in _CONTENT])
        case {"type": "content_block_start", "content_block": dict() as block}:
            return told_in(_of_block(block))
        case _:
            return NOTHING


def put_out(body: Mapping[str, Any]) -> Told:
    """The content."""
    return told_in([_of_block(block) for block in body["content"]])


def _of_block(block: Mapping[str, Any]) -> list[Any]:
    found = [block.get(name) for name in ("text", "thinking", "name", "content")]
    return [*found, json_text(given)] if (given := block.get("input")) else found


class OutgoingMessage:
    """A streamed message; what tells why it ended is kept to the end."""

    def __init__(self, request: Mapping[str, Any], head: Head) -> None:
        self._request = request
        self._head = head
        self._ended: dict[str, Any] = {}

    def opening(self) -> Sequence[Delta]:
        return ()

    def shown(self, delta: Delta) -> Sequence[Delta]:
        match delta.get("type"):
            case "message_start":
                return (self._start(delta),)
            case "message_delta":
                self._keep(delta)
                return ()
            case "message_stop":
                return ()
            case _:
                return (delta,)

    def closing(self, usage: Usage) -> Sequence[Delta]:
        told = {"delta": {"stop_reason": None, "stop_sequence": None}, **self._ended}
        return (
            {"type": "message_delta", **told, "usage": usage_object(usage)},
            {"type": "message_stop"},
        )

    def _start(self, delta: Delta) -> Delta:
        """The head: with the provider's own count of the input, or an estimate.

        What is charged comes with the end.
        """
        message = without_provider_fields(delta["message"])
        message |= {"id": self._head.id, "model": self._head.model}
        counted = message.get("usage")
        if isinstance(counted, dict):
            message["usage"] = {name: counted[name] for name in _COUNTS if name in counted}
        else:
            message["usage"] = usage_object(estimated_usage(self._request, 0))
        return {"type": "message_start", "message": message}

    def _keep(self, delta: Delta) -> None:
        kept = {name: value for name, value in delta.items() if name not in ("type", "usage")}
        told = {**self._ended.get("delta", {}), **(kept.get("delta") or {})}
        self._ended = {**self._ended, **kept, "delta": told}


def replayed(body: Body) -> Iterator[Delta]:
    """A finished message as the events of a stream."""
    start = {**body, "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(body["content"]):
        yield from _replayed(index, block)
    ended = ("stop_reason", "stop_sequence", "stop_details")
    told = {name: body[name] for name in ended if name in body}
    yield {"type": "message_delta", "delta": told}
    yield {"type": "message_stop"}


def _replayed(index: int, block: Mapping[str, Any]) -> Iterator[Delta]:
    start, deltas = dict(block), []
    match block.get("type"):
        case "text":
            start["text"] = ""
            deltas = [{"type": "text_delta", "text": block["text"]}]
        case "thinking":
            start |= {"thinking": "", "signature": ""}
            deltas = [
                {"type": "thinking_delta", "thinking": block["thinking"]},
                {"type": "signature_delta", "signature": block.get("signature") or ""},
            ]
        case "tool_use" | "server_tool_use":
            start["input"] = {}
            deltas = [{"type": "input_json_delta", "partial_json": json_text(block["input"])}]
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}
