"""What a response answers: checked, shown under our name, and nothing else in it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.dialects.chat.answers import without_provider_fields
from domain.dialects.responses.growing import replayed_item
from domain.dialects.responses.words import Status, error_object, usage_object
from domain.dialects.surface import Body, Delta, Head
from domain.inference.events import Failure, Usage
from domain.rating.estimate import NOTHING, Told, told_in

# What a response repeats of its request, and what that is where the caller said nothing.
_REPEATED: Mapping[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": None,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
_NO_REASONING = {"effort": None, "summary": None}
_PLAIN_TEXT = {"format": {"type": "text"}}
_STARTS = frozenset({"response.created", "response.queued", "response.in_progress"})
_ENDS = frozenset({"response.completed", "response.incomplete"})
_WHOLE = frozenset({"completed", "incomplete"})
_ID_PREFIX: Mapping[str, str] = {"message": "msg_", "reasoning": "rs_", "function_call": "fc_"}
# Where an item holds what the model put out.
_PUT_OUT = ("content", "summary", "name", "arguments", "input")


def response_object(request: Mapping[str, Any], head: Head, status: Status) -> Body:
    """A response that has no output yet."""
    given = {name: request.get(name) for name in _REPEATED}
    return {
        "id": head.id,
        "object": "response",
        "created_at": head.created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": head.model,
        "output": [],
        **{name: _REPEATED[name] if value is None else value for name, value in given.items()},
        "reasoning": {**_NO_REASONING, **(request.get("reasoning") or {})},
        "text": {**_PLAIN_TEXT, **(request.get("text") or {})},
        "usage": None,
    }


def failed_object(request: Mapping[str, Any], head: Head, failure: Failure) -> Body:
    """A response that has no answer."""
    return {**response_object(request, head, "failed"), "error": error_object(failure)}


def is_whole(body: Mapping[str, Any]) -> bool:
    """Whether `body` is a complete response."""
    output = body.get("output")
    return (
        isinstance(output, list)
        and all(isinstance(item, dict) for item in output)
        and body.get("status") in _WHOLE
    )


def is_content(delta: Delta) -> bool:
    """Whether an event holds some of the answer; a message and reasoning begin empty."""
    match delta:
        case {"type": str() as kind, "delta": told}:
            return kind.endswith(".delta") and bool(told)
        case {"type": "response.output_item.added", "item": dict() as item}:
            return item.get("type") not in ("message", "reasoning")
        case _:
            return False


def finished(body: Body, head: Head, usage: Usage) -> Body:
    """The response under our id and model, with the usage that is charged."""
    shown = response_object(head.asked, head, "completed")
    told = without_provider_fields(body)
    shown |= {name: told[name] for name in ("status", "incomplete_details") if name in told}
    shown["output"] = [
        _with_id(item, head, index) for index, item in enumerate(body.get("output") or ())
    ]
    shown["usage"] = usage_object(usage)
    return shown


def _with_id(item: Mapping[str, Any], head: Head, index: int) -> dict[str, Any]:
    return {"id": item.get("id") or item_id(item, head, index), **_without_id(item)}


def _without_id(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "id"}


def item_id(item: Mapping[str, Any], head: Head, index: int) -> str:
    """The id of an output item, where its provider gave none."""
    return f"{_ID_PREFIX.get(str(item.get('type')), 'item_')}{head.id.partition('_')[2]}{index:02x}"


def added(delta: Delta) -> Told:
    """What an event adds."""
    match delta:
        case {"delta": str() as told}:
            return told_in(told)
        case {"type": "response.output_item.added", "item": {"name": str() as name}}:
            return told_in(name)
        case _:
            return NOTHING


def put_out(body: Mapping[str, Any]) -> Told:
    """The output."""
    return told_in([item.get(name) for item in body["output"] for name in _PUT_OUT])


class OutgoingResponse:
    """A streamed response, its events numbered from 0; the last one is kept to the end."""

    def __init__(self, request: Mapping[str, Any], head: Head) -> None:
        self._request = request
        self._head = head
        self._number = 0
        self._ids: dict[int, str] = {}
        self._items: dict[int, dict[str, Any]] = {}
        self._kept: dict[str, Any] = {}

    def opening(self) -> Sequence[Delta]:
        begun = self._begun("response.in_progress", "in_progress")
        if self._request.get("background") is not True:
            return self._numbered({**begun, "type": "response.created"}), self._numbered(begun)
        return (*self.queued(), self._numbered(begun))

    def queued(self) -> Sequence[Delta]:
        """The events that tell of a response in the background before it is begun."""
        waits = self._begun("response.queued", "queued")
        return self._numbered({**waits, "type": "response.created"}), self._numbered(waits)

    def _begun(self, kind: str, status: Status) -> Delta:
        return {"type": kind, "response": response_object(self._request, self._head, status)}

    def shown(self, delta: Delta) -> Sequence[Delta]:
        kind = delta.get("type")
        if kind in _STARTS:
            return ()
        if kind in _ENDS:
            self._kept = delta.get("response") or {}
            return ()
        told = without_provider_fields(delta)
        if isinstance(index := told.get("output_index"), int):
            self._name(told, index)
        return (self._numbered(told),)

    def closing(self, usage: Usage) -> Sequence[Delta]:
        items = [item for _, item in sorted(self._items.items())]
        body = {"status": "completed", "output": items, **self._kept}
        asked = Head(self._head.id, self._head.model, self._head.created, self._request)
        whole = finished(body, asked, usage)
        return (self._numbered({"type": f"response.{whole['status']}", "response": whole}),)

    def failing(self, failure: Failure) -> Sequence[Delta]:
        """The last event of a stream that breaks off."""
        failed = failed_object(self._request, self._head, failure)
        failed["output"] = [item for _, item in sorted(self._items.items())]
        return (self._numbered({"type": "response.failed", "response": failed}),)

    def _name(self, told: Delta, index: int) -> None:
        """Gives an item, and what belongs to it, an id where they have none."""
        item = told.get("item")
        if isinstance(item, dict):
            known = item.get("id") or self._ids.get(index) or item_id(item, self._head, index)
            self._ids[index] = known
            told["item"] = {"id": known, **_without_id(item)}
            if told["type"] == "response.output_item.done":
                self._items[index] = told["item"]
        elif not told.get("item_id"):
            told["item_id"] = self._ids.get(index, "")

    def _numbered(self, delta: Delta) -> Delta:
        number, self._number = self._number, self._number + 1
        return {**delta, "sequence_number": number}


def replayed(body: Body) -> Iterator[Delta]:
    """A finished response as the events of a stream."""
    for index, item in enumerate(body["output"]):
        yield from replayed_item(index, item)
    yield {"type": f"response.{body['status']}", "response": body}
