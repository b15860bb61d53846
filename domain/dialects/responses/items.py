"""The input of a responses request as canonical turns.

Each item is a message, a call, its result or reasoning of its own; neighbours of one side make
one turn.
"""

from collections.abc import Iterator
from typing import Any

from domain.dialects.canonical import (
    Part,
    Redacted,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    Untranslatable,
)
from domain.dialects.chat.reasoning import google_signature
from domain.dialects.fields import Fields, invalid, items, mapping, optional, required, text
from domain.dialects.responses.content import content_parts
from domain.dialects.responses.signatures import reasoning_from
from domain.dialects.responses.words import unsupported

_SYSTEM = ("system", "developer")
# What OpenAI runs or keeps for a customer; there is nobody here who could.
_HOSTED = "items of this type belong to tools that only OpenAI runs"
_ID_PREFIX = {"message": "msg_", "reasoning": "rs_", "function_call": "fc_"}


def read_input(value: object) -> tuple[tuple[Text, ...], tuple[Turn, ...]]:
    """The instructions that lead, and the turns."""
    if isinstance(value, str):
        return (), (Turn("user", (Text(value),)),)
    given = [mapping(item, f"input[{place}]") for place, item in enumerate(items(value, "input"))]
    if not given:
        raise invalid("input", "must hold at least one item")
    read = [_said(item, f"input[{place}].") for place, item in enumerate(given)]
    said = [one for one in read if one[1]]
    leading = next((i for i, (role, _) in enumerate(said) if role != "system"), len(said))
    system = tuple(part for _, parts in said[:leading] for part in _texts(parts))
    return system, tuple(_turns(said[leading:]))


def _texts(parts: tuple[Part, ...]) -> Iterator[Text]:
    for part in parts:
        if not isinstance(part, Text):
            raise invalid("input", "instructions must be text")
        yield part


def _turns(said: list[tuple[Role, tuple[Part, ...]]]) -> Iterator[Turn]:
    role: Role | None = None
    parts: list[Part] = []
    for side, more in said:
        # Results of tools stand apart from what the user says after them.
        if role is not None and (side != role or not _same_kind(parts, more)):
            yield Turn(role, tuple(parts))
            parts = []
        role = side
        parts.extend(more)
    if role is not None:
        yield Turn(role, tuple(parts))


def _same_kind(parts: list[Part], more: tuple[Part, ...]) -> bool:
    """Whether both are results of tools, or both belong to one side's speech."""
    return _is_result(parts[-1:]) == _is_result(more) and not _are_messages(parts, more)


def _is_result(parts: Any) -> bool:
    return any(isinstance(part, ToolResult) for part in parts)


def _are_messages(parts: list[Part], more: tuple[Part, ...]) -> bool:
    """Whether two whole messages of the user or of the instructions meet."""
    own = (ToolCall, ToolResult, Thinking, Redacted)
    return not any(isinstance(part, own) for part in (*parts, *more))


def _said(item: Fields, within: str) -> tuple[Role, tuple[Part, ...]]:
    match item.get("type", "message"):
        case "message":
            return _message(item, within)
        case "function_call":
            return "assistant", (_call(item, within),)
        case "function_call_output":
            return "user", (_result(item, within),)
        case "reasoning":
            return "assistant", tuple(reasoning_from(item))
        case "custom_tool_call" | "custom_tool_call_output":
            raise Untranslatable("only tools that are functions can be sent on", "input")
        case "item_reference":
            raise unsupported(f"{within}type", "send the item itself")
        case kind:
            if not isinstance(kind, str):
                raise invalid(f"{within}type", "must be a string")
            raise unsupported(f"{within}type", _HOSTED)


def _message(item: Fields, within: str) -> tuple[Role, tuple[Part, ...]]:
    role = required(item, "role", text, within)
    content = required(item, "content", lambda value, _: value, within)
    parts = content_parts(content, f"{within}content")
    if role in _SYSTEM:
        return "system", tuple(_texts(parts))
    if role == "user":
        return "user", parts
    if role == "assistant":
        return "assistant", parts
    raise invalid(f"{within}role", "is none of the known roles")


def _call(item: Fields, within: str) -> ToolCall:
    signature = google_signature(item)
    return ToolCall(
        id=required(item, "call_id", text, within),
        name=required(item, "name", text, within),
        arguments=optional(item, "arguments", text, within) or "",
        signature=signature,
        vendor="google" if signature else None,
    )


def _result(item: Fields, within: str) -> ToolResult:
    output = required(item, "output", lambda value, _: value, within)
    return ToolResult(
        call_id=required(item, "call_id", text, within),
        parts=content_parts(output, f"{within}output"),
    )


def item_objects(given: list[Any], suffix: str) -> list[dict[str, Any]]:
    """Input items in full, as they are listed; those without an id get one of `suffix`."""
    return [
        _item_object(item, f"{suffix}i{place:02x}")
        for place, item in enumerate(given)
        if isinstance(item, dict)
    ]


def _item_object(item: dict[str, Any], body: str) -> dict[str, Any]:
    kind = str(item.get("type") or "message")
    shown = {"id": f"{_ID_PREFIX.get(kind, 'item_')}{body}", "status": "completed", **item}
    shown["type"] = kind
    if kind == "message" and isinstance(content := item.get("content"), str):
        text_type = "output_text" if item.get("role") == "assistant" else "input_text"
        part: dict[str, Any] = {"type": text_type, "text": content}
        if text_type == "output_text":
            part["annotations"] = []
        shown["content"] = [part]
    return shown
