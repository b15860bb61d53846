"""Replies of Cohere in version 2: whole bodies, and streams of events."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.support.scripted_upstream import Answering, sending

USAGE = {
    "billed_units": {"input_tokens": 11, "output_tokens": 7},
    "tokens": {"input_tokens": 90.0, "output_tokens": 8.0},
    "cached_tokens": 4,
}


def message(
    text: str = "",
    finish: str = "COMPLETE",
    *,
    thinking: str = "",
    plan: str = "",
    calls: Iterable[Mapping[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    """The body of a whole reply."""
    content = [{"type": "thinking", "thinking": thinking}] if thinking else []
    content += [{"type": "text", "text": text}] if text else []
    told: dict[str, Any] = {"role": "assistant", "content": content, "citations": []}
    if plan:
        told["tool_plan"] = plan
    if calls:
        told["tool_calls"] = list(calls)
    return {"id": "c1", "message": told, "finish_reason": finish, "usage": USAGE, **more}


def call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    """A tool call."""
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def events(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a stream says before a whole body is told."""
    told = body["message"]
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}
    said: list[dict[str, Any]] = [_event("message-start", start, id=body["id"])]
    plan = _halves(told.get("tool_plan", ""))
    said += [_event("tool-plan-delta", {"tool_plan": part}) for part in plan]
    for index, block in enumerate(told["content"]):
        kind = block["type"]
        said.append(_event("content-start", {"content": {"type": kind, kind: ""}}, index=index))
        for part in _halves(block[kind]):
            said.append(_event("content-delta", {"content": {kind: part}}, index=index))
        said.append({"type": "content-end", "index": index})
        said.append(_event("citation-start", {"citations": {"text": part}}, index=0))
        said.append({"type": "citation-end", "index": 0})
    for index, one in enumerate(told.get("tool_calls", ())):
        function = one["function"]
        head = {**one, "function": {"name": function["name"], "arguments": ""}}
        said.append(_event("tool-call-start", {"tool_calls": head}, index=index))
        for part in _halves(function["arguments"]):
            more = {"tool_calls": {"function": {"arguments": part}}}
            said.append(_event("tool-call-delta", more, index=index))
        said.append({"type": "tool-call-end", "index": index})
    end = {"finish_reason": body["finish_reason"], "usage": body["usage"]}
    return [*said, {"type": "message-end", "id": body["id"], "delta": end}]


def streamed(
    told: Iterable[Mapping[str, Any]], *, portion: int | None = None, cut: bool = False
) -> Answering:
    """These events as a reply."""
    lines = [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in told]
    content = "".join(lines) + ("" if cut else "data: [DONE]\n\n")
    return sending(content.encode(), "text/event-stream", portion=portion, cut=cut)


def _event(kind: str, told: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": kind, "delta": {"message": told}, **more}


def _halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [part for part in (text[:middle], text[middle:]) if part]
