"""The contents of input items, from and to the canonical form."""

from collections.abc import Iterable
from typing import Any

from domain.dialects.canonical import (
    Audio,
    File,
    Image,
    Part,
    Refusal,
    Text,
    Untranslatable,
)
from domain.dialects.fields import (
    Fields,
    cache_mark,
    inline,
    items,
    mapping,
    optional,
    required,
    text,
)
from domain.dialects.responses.words import unsupported

_PDF = "application/pdf"


def content_parts(content: object, param: str) -> tuple[Part, ...]:
    """The content of a message or of a tool's result: a string, or a list of parts."""
    if isinstance(content, str):
        return (Text(content),)
    return tuple(
        _part(mapping(item, f"{param}[{place}]"), f"{param}[{place}].")
        for place, item in enumerate(items(content, param))
    )


def _part(part: Fields, within: str) -> Part:
    match part.get("type"):
        case "input_text" | "output_text" | "text":
            return Text(required(part, "text", text, within), _mark(part))
        case "refusal":
            return Refusal(required(part, "refusal", text, within))
        case "input_image":
            return _image(part, within)
        case "input_file":
            return _file(part, within)
        case "input_audio":
            audio = required(part, "input_audio", mapping, within)
            data = required(audio, "data", text, f"{within}input_audio.")
            return Audio(data, required(audio, "format", text, f"{within}input_audio."))
        case kind:
            raise Untranslatable(f"content of type {kind!r} is known to few providers", "input")


def _mark(part: Fields) -> Any:
    # OpenAI has a mark of its own; its shortest life is nearest to Anthropic's.
    return "5m" if part.get("prompt_cache_breakpoint") else cache_mark(part)


def _image(part: Fields, within: str) -> Image:
    _refuse_id(part, within)
    url = required(part, "image_url", text, within)
    detail = optional(part, "detail", text, within)
    if data := inline(url):
        return Image(media_type=data[0], data=data[1], detail=detail, cache=_mark(part))
    return Image(url=url, detail=detail, cache=_mark(part))


def _file(part: Fields, within: str) -> File:
    _refuse_id(part, within)
    name = optional(part, "filename", text, within)
    url = optional(part, "file_url", text, within)
    if url is not None:
        return File(url=url, name=name, cache=_mark(part))
    content = required(part, "file_data", text, within)
    media_type, data = inline(content) or (_PDF, content)
    return File(media_type=media_type, data=data, name=name, cache=_mark(part))


def _refuse_id(part: Fields, within: str) -> None:
    if part.get("file_id"):
        raise unsupported(f"{within}file_id", "a file is sent by its content or its address")


def written_content(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """What a user said, or a tool gave."""
    return [_written(part) for part in parts]


def _written(part: Part) -> dict[str, Any]:
    match part:
        case Text(text=content) | Refusal(text=content):
            return {"type": "input_text", "text": content}
        case Image():
            url = part.url or _data_url(part.media_type, part.data)
            return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}
        case File():
            return _written_file(part)
        case _:
            raise Untranslatable("a part of a message has no form at this provider", "messages")


def _written_file(file: File) -> dict[str, Any]:
    if file.text is not None:
        title = f"{file.name}\n" if file.name else ""
        return {"type": "input_text", "text": title + file.text}
    if file.url is not None:
        return {"type": "input_file", "file_url": file.url}
    name = file.name or ("document.pdf" if file.media_type == _PDF else "document")
    data = _data_url(file.media_type, file.data)
    return {"type": "input_file", "filename": name, "file_data": data}


def _data_url(media_type: str | None, data: str | None) -> str:
    return f"data:{media_type or 'application/octet-stream'};base64,{data or ''}"
