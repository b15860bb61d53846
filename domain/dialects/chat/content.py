"""The content parts of chat messages, from and to the canonical form."""

from collections.abc import Iterator, Sequence
from typing import Any

from domain.dialects.canonical import (
    Audio,
    File,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    Untranslatable,
)
from domain.dialects.fields import (
    Fields,
    cache_control,
    cache_mark,
    inline,
    items,
    mapping,
    optional,
    required,
    text,
)


def content_parts(content: object, param: str) -> tuple[Part, ...]:
    """The content of a message: a string, or a list of parts."""
    if isinstance(content, str):
        return (Text(content),)
    return tuple(
        part for item in items(content, param) for part in _part(mapping(item, param), f"{param}.")
    )


def _part(part: Fields, within: str) -> Iterator[Part]:
    match part.get("type"):
        case "text" | "input_text" | "output_text":
            yield Text(required(part, "text", text, within), _mark(part))
        case "image_url":
            yield _image(part, within)
        case "input_audio":
            audio = required(part, "input_audio", mapping, within)
            data = required(audio, "data", text, f"{within}input_audio.")
            yield Audio(data, required(audio, "format", text, f"{within}input_audio."))
        case "file":
            yield _file(part, within)
        case "refusal":
            yield Refusal(required(part, "refusal", text, within))
        case "thinking":
            yield from _thinking(part)
        case kind:
            raise Untranslatable(f"content of type {kind!r} is known to few providers", "messages")


def _mark(part: Fields) -> Any:
    # OpenAI has a mark of its own, without a time to live.
    return "5m" if part.get("prompt_cache_breakpoint") else cache_mark(part)


def _image(part: Fields, within: str) -> Image:
    given = part.get("image_url")
    image = (
        {"url": given} if isinstance(given, str) else required(part, "image_url", mapping, within)
    )
    url = required(image, "url", text, f"{within}image_url.")
    detail = optional(image, "detail", text, f"{within}image_url.")
    if data := inline(url):
        return Image(media_type=data[0], data=data[1], detail=detail, cache=_mark(part))
    return Image(url=url, detail=detail, cache=_mark(part))


def _file(part: Fields, within: str) -> File:
    file = required(part, "file", mapping, within)
    if file.get("file_id"):
        raise Untranslatable("a file id means nothing to another provider", "messages")
    content = required(file, "file_data", text, f"{within}file.")
    name = optional(file, "filename", text, f"{within}file.")
    if content.startswith(("https://", "http://")):
        return File(url=content, name=name, cache=_mark(part))
    media_type, data = inline(content) or ("application/pdf", content)
    return File(media_type=media_type, data=data, name=name, cache=_mark(part))


def _thinking(part: Fields) -> Iterator[Thinking]:
    """Mistral's form: a part that holds text parts."""
    told = part.get("thinking")
    if isinstance(told, list):
        told = "".join(str(one.get("text") or "") for one in told if isinstance(one, dict))
    if isinstance(told, str) and told:
        yield Thinking(text=told)


def written_content(parts: Sequence[Part], *, marks: bool) -> str | list[dict[str, Any]]:
    """The content of a user's message; one text alone is a string, as every host takes it."""
    if len(parts) == 1 and isinstance(part := parts[0], Text) and not (marks and part.cache):
        return part.text
    return [_written(part, marks=marks) for part in parts]


def _written(part: Part, *, marks: bool) -> dict[str, Any]:
    match part:
        case Text(text=content) | Refusal(text=content):
            written: dict[str, Any] = {"type": "text", "text": content}
        case Image():
            image: dict[str, Any] = {"url": part.url or _data_url(part.media_type, part.data)}
            if part.detail:
                image["detail"] = part.detail
            written = {"type": "image_url", "image_url": image}
        case Audio():
            sound = {"data": part.data, "format": part.format}
            written = {"type": "input_audio", "input_audio": sound}
        case File():
            written = _written_file(part)
        case _:
            raise Untranslatable("a part of a message has no form at this provider", "messages")
    if marks and (mark := getattr(part, "cache", None)):
        written["cache_control"] = cache_control(mark)
    return written


def _written_file(file: File) -> dict[str, Any]:
    if file.text is not None:
        title = f"{file.name}\n" if file.name else ""
        return {"type": "text", "text": title + file.text}
    if file.data is None:
        raise Untranslatable("this provider takes no file by its address", "messages")
    name = file.name or ("document.pdf" if file.media_type == "application/pdf" else "document")
    data = _data_url(file.media_type, file.data)
    return {"type": "file", "file": {"filename": name, "file_data": data}}


def _data_url(media_type: str | None, data: str | None) -> str:
    return f"data:{media_type or 'application/octet-stream'};base64,{data or ''}"
