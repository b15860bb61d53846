"""The turns of a canonical request as Cohere's messages."""

import json
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from domain.dialects.canonical import (
    Audio,
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

_NOTHING_SAID: Final = "."
_IMAGE_FOLLOWS: Final = "[image attached]"


def write_messages(system: Sequence[Text], turns: Iterable[Turn]) -> list[dict[str, Any]]:
    """The messages. Raises `Untranslatable` for sound and for files that are no text."""
    messages: list[dict[str, Any]] = []
    instructions = "\n\n".join(text.text for text in system if text.text)
    if instructions:
        messages.append({"role": "system", "content": instructions})
    for turn in turns:
        if turn.role == "assistant":
            messages.append(_assistant(turn.parts))
        else:
            # A system message may only be the first: a later one is told as the user's.
            messages.extend(_user(turn))
    return messages


def _assistant(parts: Sequence[Part]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant"}
    said = "".join(part.text for part in parts if isinstance(part, Text | Refusal))
    calls = [_call(part) for part in parts if isinstance(part, ToolCall)]
    if said or not calls:
        message["content"] = said or _NOTHING_SAID
    if calls:
        message["tool_calls"] = calls
        # The plan that led to the calls belongs to them; any other thinking is of no use again.
        if plan := "".join(part.text for part in parts if isinstance(part, Thinking)):
            message["tool_plan"] = plan
    return message


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function}


def _user(turn: Turn) -> Iterator[dict[str, Any]]:
    """The results of tools first, each a message; then what the user says, and their images."""
    results = [part for part in turn.parts if isinstance(part, ToolResult)]
    others = [part for part in turn.parts if not isinstance(part, ToolResult)]
    for result in results:
        yield _result(result)
        others += [part for part in result.parts if isinstance(part, Image)]
    blocks = [block for part in others for block in _blocks(part)]
    if turn.name and blocks and blocks[0]["type"] == "text":
        blocks[0] = {"type": "text", "text": f"{turn.name}: {blocks[0]['text']}"}
    if len(blocks) == 1 and blocks[0]["type"] == "text":
        yield {"role": "user", "content": blocks[0]["text"]}
    elif blocks:
        yield {"role": "user", "content": blocks}
    elif not results:
        yield {"role": "user", "content": _NOTHING_SAID}


def _result(result: ToolResult) -> dict[str, Any]:
    """A document, which the model may cite: an object as it is, any other text as its result."""
    text = _text(result.parts)
    if any(isinstance(part, Image) for part in result.parts):
        text = f"{text}\n{_IMAGE_FOLLOWS}".strip()
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    told = parsed if isinstance(parsed, dict) and parsed else {"result": text}
    data = {"error": text} if result.is_error else told
    content = [{"type": "document", "document": {"data": data}}]
    return {"role": "tool", "tool_call_id": result.call_id, "content": content}


def _text(parts: Sequence[Part]) -> str:
    return "\n".join(
        block["text"]
        for part in parts
        if not isinstance(part, Image)
        for block in _blocks(part)
        if block["type"] == "text"
    )


def _blocks(part: Part) -> list[dict[str, Any]]:
    match part:
        case Text(text=text) | Refusal(text=text):
            return [{"type": "text", "text": text}] if text else []
        case Image():
            return [{"type": "image_url", "image_url": _image(part)}]
        case File():
            return [{"type": "text", "text": _document(part)}]
        case Thinking() | Redacted():
            return []
        case Audio():
            raise Untranslatable("the provider takes no sound", "messages")
        case ToolCall() | ToolResult():
            raise Untranslatable("a tool's call or result stands where none can be", "messages")


def _image(image: Image) -> dict[str, Any]:
    url = image.url or f"data:{image.media_type or 'image/png'};base64,{image.data or ''}"
    told = {"url": url}
    if image.detail in ("auto", "low", "high"):
        told["detail"] = image.detail
    return told


def _document(file: File) -> str:
    """A document's text under its name."""
    text = file.text
    if text is None and file.data is not None and (file.media_type or "").startswith("text/"):
        try:
            text = b64decode(file.data, validate=True).decode()
        except ValueError as error:
            raise Untranslatable("a document is no text in UTF-8", "messages") from error
    if text is None:
        raise Untranslatable("the provider takes documents as text only", "messages")
    return f"{file.name}\n{text}" if file.name else text
