"""Canonical turns as the messages of a messages request."""

import base64
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from domain.dialects.canonical import (
    File,
    Image,
    Part,
    Redacted,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    Untranslatable,
)
from domain.dialects.fields import cache_control, json_object
from domain.dialects.messages.models import ModelRules
from domain.dialects.messages.signatures import tool_id

# Blank text is refused, and a turn must hold something.
_FILLER = {"type": "text", "text": "."}


def written_system(texts: Iterable[Text]) -> list[dict[str, Any]]:
    """The instructions as blocks; blank ones are left out."""
    return [_block(text) for text in texts if text.text.strip()]


def written_turns(turns: Sequence[Turn], rules: ModelRules) -> list[dict[str, Any]]:
    """The messages: sides take turns and the user begins. Raises `Untranslatable`."""
    messages: list[dict[str, Any]] = []
    for role, parts in _sides(turns, rules):
        blocks = list(_blocks(parts))
        if role == "user":
            blocks.sort(key=lambda block: block["type"] != "tool_result")
        messages.append({"role": role, "content": blocks or [dict(_FILLER)]})
    if not messages or messages[0]["role"] == "assistant":
        messages.insert(0, {"role": "user", "content": [dict(_FILLER)]})
    if messages[-1]["role"] == "assistant":
        _trim(messages[-1], rules)
    return messages


def _sides(turns: Sequence[Turn], rules: ModelRules) -> Iterator[tuple[str, list[Part]]]:
    """Who says what, each side's turns that follow each other in one.

    Where a model takes no instructions within the talk, the user says them.
    """
    side, said = "", list[Part]()
    for turn in turns:
        role = "user" if turn.role == "system" and not rules.system_turns else turn.role
        if role != side and said:
            yield side, said
            said = []
        side = role
        said = [*said, *turn.parts] if turn.parts else [*said, Text("")]
    if said:
        yield side, said


def _trim(message: dict[str, Any], rules: ModelRules) -> None:
    """The begun answer, which must not end in white space."""
    last = message["content"][-1]
    if last["type"] == "tool_use":
        return  # its result is missing, which the provider says best
    if not rules.prefill:
        raise Untranslatable("the model does not go on with an answer that is begun", "messages")
    if last["type"] == "text":
        last["text"] = last["text"].rstrip()


def _blocks(parts: Iterable[Part]) -> Iterator[dict[str, Any]]:
    for part in parts:
        if isinstance(part, Text | Refusal) and not part.text.strip():
            continue
        if isinstance(part, Thinking | Redacted) and not _is_anthropics(part):
            continue
        yield _block(part)


def _is_anthropics(part: Thinking | Redacted) -> bool:
    """Whether Anthropic signed it: what others thought it does not take."""
    return part.vendor == "anthropic" and (isinstance(part, Redacted) or bool(part.signature))


def _block(part: Part) -> dict[str, Any]:
    block = _unmarked(part)
    if mark := getattr(part, "cache", None):
        block["cache_control"] = cache_control(mark)
    return block


def _unmarked(part: Part) -> dict[str, Any]:
    match part:
        case Text(text=text) | Refusal(text=text):
            return {"type": "text", "text": text}
        case Image():
            return {"type": "image", "source": _image_source(part)}
        case File():
            title = {"title": part.name} if part.name else {}
            return {"type": "document", "source": _file_source(part), **title}
        case ToolCall():
            used = {"id": tool_id(part.id), "name": part.name}
            return {"type": "tool_use", **used, "input": json_object(part.arguments)}
        case ToolResult():
            return _result(part)
        case Thinking():
            return {"type": "thinking", "thinking": part.text, "signature": part.signature}
        case Redacted():
            return {"type": "redacted_thinking", "data": part.data}
        case _:
            raise Untranslatable("the provider takes no sound", "messages")


def _image_source(image: Image) -> dict[str, Any]:
    if image.data is not None:
        return {"type": "base64", "media_type": image.media_type, "data": image.data}
    if not (image.url or "").startswith(("https://", "http://")):
        raise Untranslatable("the provider cannot reach the address of an image", "messages")
    return {"type": "url", "url": image.url}


def _file_source(file: File) -> dict[str, Any]:
    if file.text is not None:
        return {"type": "text", "media_type": "text/plain", "data": file.text}
    if file.data is None:
        return {"type": "url", "url": file.url}
    if file.media_type == "application/pdf":
        return {"type": "base64", "media_type": file.media_type, "data": file.data}
    if (file.media_type or "").startswith("text/"):
        try:
            text = base64.b64decode(file.data).decode()
        except ValueError as error:
            raise Untranslatable("a text file is no UTF-8 in base64", "messages") from error
        return {"type": "text", "media_type": "text/plain", "data": text}
    raise Untranslatable(f"the provider takes no files of type {file.media_type}", "messages")


def _result(result: ToolResult) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": tool_id(result.call_id)}
    parts = [part for part in result.parts if not isinstance(part, Text) or part.text.strip()]
    if len(parts) == 1 and isinstance(part := parts[0], Text) and part.cache is None:
        block["content"] = part.text
    elif parts:
        block["content"] = [_block(part) for part in parts]
    if result.is_error:
        block["is_error"] = True
    return block
