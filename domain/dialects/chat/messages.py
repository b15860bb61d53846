"""The messages of a chat completion request as canonical turns."""

from collections.abc import Iterator
from typing import Any

from domain.dialects.canonical import (
    Part,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    Untranslatable,
)
from domain.dialects.chat.content import content_parts
from domain.dialects.chat.reasoning import google_signature, thinking_of
from domain.dialects.fields import Fields, invalid, items, mapping, optional, required, text

_SYSTEM = ("system", "developer")


def read_messages(value: object) -> tuple[tuple[Text, ...], tuple[Turn, ...]]:
    """The instructions that lead, and the turns.

    The results of tools that were called together make one turn.
    """
    messages = [
        mapping(message, f"messages[{place}]")
        for place, message in enumerate(items(value, "messages"))
    ]
    if not messages:
        raise invalid("messages", "must hold at least one message")
    leading = next(
        (i for i, one in enumerate(messages) if one.get("role") not in _SYSTEM), len(messages)
    )
    system = tuple(
        part
        for place, message in enumerate(messages[:leading])
        for part in _instruction(message, f"messages[{place}].")
    )
    return system, tuple(_Turns(messages, leading).read())


class _Turns:
    """One pass over the messages; the old form of tool calls gets ids on the way."""

    def __init__(self, messages: list[Fields], start: int) -> None:
        self._messages = messages
        self._start = start
        self._old_calls = 0

    def read(self) -> Iterator[Turn]:
        results: list[Part] = []
        for place, message in enumerate(self._messages[self._start :], self._start):
            within = f"messages[{place}]."
            role = required(message, "role", text, within)
            if role in ("tool", "function"):
                results.append(self._result(message, role, within))
                continue
            if results:
                yield Turn("user", tuple(results))
                results = []
            yield self._turn(message, role, within)
        if results:
            yield Turn("user", tuple(results))

    def _turn(self, message: Fields, role: str, within: str) -> Turn:
        name = optional(message, "name", text, within)
        match role:
            case "system" | "developer":
                return Turn("system", _instruction(message, within), name)
            case "user":
                content = required(message, "content", lambda value, _: value, within)
                return Turn("user", content_parts(content, f"{within}content"), name)
            case "assistant":
                return Turn("assistant", self._assistant(message, within), name)
            case _:
                raise invalid(f"{within}role", "is none of the known roles")

    def _assistant(self, message: Fields, within: str) -> tuple[Part, ...]:
        if message.get("audio"):
            raise Untranslatable("earlier audio cannot be sent to this provider", "messages")
        content = message.get("content")
        said = () if content is None else content_parts(content, f"{within}content")
        refused = optional(message, "refusal", text, within)
        calls = optional(message, "tool_calls", items, within) or ()
        return (
            *thinking_of(message),
            *said,
            *([Refusal(refused)] if refused else []),
            *(_call(mapping(call, f"{within}tool_calls"), within) for call in calls),
            *self._old_call(message, within),
        )

    def _old_call(self, message: Fields, within: str) -> Iterator[ToolCall]:
        call = optional(message, "function_call", mapping, within)
        if call:
            self._old_calls += 1
            name = required(call, "name", text, f"{within}function_call.")
            arguments = call.get("arguments") or ""
            yield ToolCall(id=f"call_{name}_{self._old_calls}", name=name, arguments=arguments)

    def _result(self, message: Fields, role: str, within: str) -> ToolResult:
        name = optional(message, "name", text, within)
        if role == "tool":
            call_id = required(message, "tool_call_id", text, within)
        else:
            call_id = f"call_{required(message, 'name', text, within)}_{self._old_calls}"
        content = message.get("content")
        parts = () if content is None else content_parts(content, f"{within}content")
        return ToolResult(call_id=call_id, parts=parts, name=name)


def _call(call: Fields, within: str) -> ToolCall:
    within = f"{within}tool_calls."
    if call.get("type", "function") != "function":
        raise Untranslatable("only calls of functions can be sent to this provider", "messages")
    function: Any = required(call, "function", mapping, within)
    signature = google_signature(call)
    return ToolCall(
        id=required(call, "id", text, within),
        name=required(function, "name", text, f"{within}function."),
        arguments=optional(function, "arguments", text, f"{within}function.") or "",
        signature=signature,
        vendor="google" if signature else None,
    )


def _instruction(message: Fields, within: str) -> tuple[Text, ...]:
    content = required(message, "content", lambda value, _: value, within)
    parts = content_parts(content, f"{within}content")
    if not all(isinstance(part, Text) for part in parts):
        raise invalid(f"{within}content", "instructions must be text")
    return tuple(part for part in parts if isinstance(part, Text))
