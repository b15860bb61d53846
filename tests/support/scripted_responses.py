"""What a host of OpenAI's responses wire replies, for the scripted provider."""

import json
from collections.abc import Sequence
from typing import Any

from tests.support.scripted_provider import Reply, stream, whole

USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 18,
}


def message(text: str = "Hello there.") -> dict[str, Any]:
    """An output item that is what the model said."""
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    own = {"id": "msg_upstream", "status": "completed", "role": "assistant"}
    return {"type": "message", **own, "content": content}


def call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    """An output item that calls a function."""
    called = {"call_id": call_id, "name": name, "arguments": arguments}
    return {"type": "function_call", "id": f"fc_{call_id}", "status": "completed", **called}


def reasoning(text: str, encrypted: str | None = None) -> dict[str, Any]:
    """An output item of reasoning."""
    summary = [{"type": "summary_text", "text": text}]
    own = {"type": "reasoning", "id": "rs_upstream", "summary": summary}
    return own if encrypted is None else {**own, "encrypted_content": encrypted}


def response(*output: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The body of a response."""
    return {
        "id": "resp_upstream",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "upstream-model",
        "output": list(output) or [message()],
        "usage": USAGE,
        **changes,
    }


def respond(*output: dict[str, Any], **changes: Any) -> Reply:
    """A whole response."""
    return whole(response(*output, **changes))


def event(kind: str, **fields: Any) -> str:
    """One event as JSON text, with a number that means nothing to us."""
    return json.dumps({"type": f"response.{kind}", "sequence_number": 99, **fields})


def events(*output: dict[str, Any], **changes: Any) -> list[str]:
    """The events of a response whose texts come in two parts each."""
    body = response(*output, **changes)
    begun = {**body, "status": "in_progress", "output": [], "usage": None}
    told = [event("created", response=begun), event("in_progress", response=begun)]
    for index, item in enumerate(body["output"]):
        told.extend(_item(index, item))
    return [*told, event(body["status"], response=body)]


def _item(index: int, item: dict[str, Any]) -> Sequence[str]:
    place = {"output_index": index, "item_id": item["id"]}
    match item["type"]:
        case "message":
            part = item["content"][0]
            start, kind = {**item, "content": []}, "output_text.delta"
            deltas, more = _halves(part["text"]), {"content_index": 0, "obfuscation": "zz"}
            opened = [event("content_part.added", **place, content_index=0, part=part)]
        case "function_call":
            start, kind = {**item, "arguments": ""}, "function_call_arguments.delta"
            deltas, more, opened = _halves(item["arguments"]), {}, []
        case _:
            start, kind = {**item, "summary": []}, "reasoning_summary_text.delta"
            deltas, more, opened = _halves(item["summary"][0]["text"]), {"summary_index": 0}, []
    return [
        event("output_item.added", output_index=index, item=start),
        *opened,
        *(event(kind, **place, delta=delta, **more) for delta in deltas),
        event("output_item.done", output_index=index, item=item),
    ]


def _halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [half for half in (text[:middle], text[middle:]) if half]


def respond_in_events(*output: dict[str, Any], **changes: Any) -> Reply:
    """A streamed response, ended as OpenAI ends it."""
    return stream(events(*output, **changes), done=False)
