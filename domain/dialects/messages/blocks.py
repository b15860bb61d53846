"""The content blocks of a messages request as canonical parts."""

from collections.abc import Callable, Iterator, Mapping

from domain.dialects.canonical import (
    File,
    Image,
    Part,
    Text,
    ToolCall,
    ToolResult,
    Untranslatable,
)
from domain.dialects.fields import (
    Fields,
    cache_mark,
    invalid,
    items,
    json_text,
    mapping,
    optional,
    required,
    text,
)
from domain.dialects.messages.signatures import redacted_from, thinking_from


def content_parts(content: object, param: str) -> tuple[Part, ...]:
    """The content of a message or of a tool result: a string, or a list of blocks."""
    if isinstance(content, str):
        return (Text(content),)
    return tuple(
        part for item in items(content, param) for part in _block(mapping(item, param), f"{param}.")
    )


def text_blocks(content: object, param: str) -> tuple[Text, ...]:
    """Content that may be text alone."""
    parts = content_parts(content, param)
    if not all(isinstance(part, Text) for part in parts):
        raise invalid(param, "must be text")
    return tuple(part for part in parts if isinstance(part, Text))


def _block(block: Fields, within: str) -> Iterator[Part]:
    kind = block.get("type")
    reading = _READERS.get(kind) if isinstance(kind, str) else None
    if reading is None:
        # Results of Anthropic's own tools among them: no other provider can go on from these.
        raise Untranslatable(f"blocks of type {kind!r} are known to Anthropic alone", "messages")
    yield from reading(block, within)


def _text(block: Fields, within: str) -> Iterator[Part]:
    yield Text(required(block, "text", text, within), cache_mark(block))


def _image(block: Fields, within: str) -> Iterator[Part]:
    source = required(block, "source", mapping, within)
    within = f"{within}source."
    match source.get("type"):
        case "base64":
            yield Image(
                media_type=required(source, "media_type", text, within),
                data=required(source, "data", text, within),
                cache=cache_mark(block),
            )
        case "url":
            yield Image(url=required(source, "url", text, within), cache=cache_mark(block))
        case _:
            raise Untranslatable("a file id means nothing to another provider", "messages")


def _document(block: Fields, within: str) -> Iterator[Part]:
    citations = block.get("citations")
    if isinstance(citations, Mapping) and citations.get("enabled"):
        raise Untranslatable("only Anthropic cites from documents in this form", "messages")
    if context := optional(block, "context", text, within):
        yield Text(context)
    source = required(block, "source", mapping, within)
    name, cache = optional(block, "title", text, within), cache_mark(block)
    within = f"{within}source."
    match source.get("type"):
        case "base64":
            media_type = required(source, "media_type", text, within)
            data = required(source, "data", text, within)
            yield File(media_type=media_type, data=data, name=name, cache=cache)
        case "text":
            content = required(source, "data", text, within)
            yield File(media_type="text/plain", text=content, name=name, cache=cache)
        case "url":
            yield File(url=required(source, "url", text, within), name=name, cache=cache)
        case "content":
            parts = content_parts(source.get("content"), f"{within}content")
            if not all(isinstance(part, Text) for part in parts):
                yield from parts
                return
            content = "\n".join(part.text for part in parts if isinstance(part, Text))
            yield File(media_type="text/plain", text=content, name=name, cache=cache)
        case _:
            raise Untranslatable("a file id means nothing to another provider", "messages")


def _search_result(block: Fields, within: str) -> Iterator[Part]:
    head = [required(block, name, text, within) for name in ("title", "source")]
    found = text_blocks(block.get("content"), f"{within}content")
    yield Text("\n".join([*head, *(one.text for one in found)]), cache_mark(block))


def _tool_use(block: Fields, within: str) -> Iterator[Part]:
    yield ToolCall(
        id=required(block, "id", text, within),
        name=required(block, "name", text, within),
        arguments=json_text(required(block, "input", mapping, within)),
        cache=cache_mark(block),
    )


def _tool_result(block: Fields, within: str) -> Iterator[Part]:
    content = block.get("content")
    yield ToolResult(
        call_id=required(block, "tool_use_id", text, within),
        parts=() if content is None else content_parts(content, f"{within}content"),
        is_error=block.get("is_error") is True,
        cache=cache_mark(block),
    )


def _thinking(block: Fields, within: str) -> Iterator[Part]:
    told = required(block, "thinking", text, within)
    yield thinking_from(told, optional(block, "signature", text, within) or "")


def _redacted(block: Fields, within: str) -> Iterator[Part]:
    yield redacted_from(required(block, "data", text, within))


_READERS: Mapping[str, Callable[[Fields, str], Iterator[Part]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
}
