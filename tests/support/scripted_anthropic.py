"""What Anthropic answers, as recorded from its wire: whole messages, streams and errors."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.scripted_upstream import Answering, sending

USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 1000,
    "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
    "output_tokens": 50,
    "output_tokens_details": {"thinking_tokens": 20},
    "service_tier": "standard",
}
_START_USAGE = {**USAGE, "output_tokens": 1, "output_tokens_details": None}
_END_USAGE = {"output_tokens": 50, "output_tokens_details": {"thinking_tokens": 20}}
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
Block = Mapping[str, Any]
TEXT: Block = {"type": "text", "text": "Hello there."}
THINKING: Block = {"type": "thinking", "thinking": "A greeting.", "signature": "EqQBCgIYAhIM"}
REDACTED: Block = {"type": "redacted_thinking", "data": "EmwKAhgB"}


def tool_use(call_id: str, name: str, given: Mapping[str, Any]) -> Block:
    """A block that asks for a tool."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def message(*content: Block, stop_reason: str = "end_turn", **changes: Any) -> dict[str, Any]:
    """A whole message."""
    return {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": list(content or (TEXT,)),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": USAGE,
        **changes,
    }


def events(*content: Block, stop_reason: str = "end_turn", **told: Any) -> list[dict[str, Any]]:
    """The same in events."""
    head = message(stop_reason=stop_reason)
    head |= {"content": [], "stop_reason": None, "usage": _START_USAGE}
    stream: list[dict[str, Any]] = [{"type": "message_start", "message": head}, {"type": "ping"}]
    for index, block in enumerate(content or (TEXT,)):
        stream += _block_events(index, block)
    ended = {"stop_reason": stop_reason, "stop_sequence": None, **told}
    stream.append({"type": "message_delta", "delta": ended, "usage": _END_USAGE})
    return [*stream, {"type": "message_stop"}]


def _block_events(index: int, block: Block) -> list[dict[str, Any]]:
    start, deltas = dict(block), list[dict[str, Any]]()
    match block["type"]:
        case "text":
            start["text"] = ""
            half = len(block["text"]) // 2
            halves = (block["text"][:half], block["text"][half:])
            deltas = [{"type": "text_delta", "text": text} for text in halves]
        case "thinking":
            start |= {"thinking": "", "signature": ""}
            deltas = [
                {"type": "thinking_delta", "thinking": block["thinking"]},
                {"type": "signature_delta", "signature": block["signature"]},
            ]
        case "tool_use":
            start["input"] = {}
            text = json.dumps(block["input"]) if block["input"] else ""
            parts = ("", text[:3], text[3:])
            deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
    at = {"index": index}
    return [
        {"type": "content_block_start", **at, "content_block": start},
        *({"type": "content_block_delta", **at, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", **at},
    ]


def sse(stream: Sequence[Mapping[str, Any]]) -> bytes:
    """The bytes of a stream."""
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in stream
    )


def whole(*content: Block, **changes: Any) -> Answering:
    """A reply that is one message."""
    return sending(message(*content, **changes))


def streamed(*content: Block, **changes: Any) -> Answering:
    """A reply in events, a few bytes at a time."""
    return sending(sse(events(*content, **changes)), "text/event-stream", portion=97)


def error_event(kind: str, text: str = "secret text") -> dict[str, Any]:
    """An error as an event or a body has it."""
    told = {"type": kind, "message": text}
    return {"type": "error", "error": told, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}


def error(status: int, text: str = "secret text", **headers: str) -> Answering:
    """A reply that is an error; `retry_after="1"` sends that header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return sending(error_event(_ERROR_TYPES[status], text), status=status, headers=named)
