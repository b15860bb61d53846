"""Images, sound and files in a request: the tokens to set money aside for, which are not told by
the bytes of the request.

A photograph of a megabyte is read as a thousand tokens or two, and so is one of which the request
only holds the address.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# A large image at the hosts that count most for it, but for a few small models.
IMAGE_TOKENS = 4_000
# A file that is not in the request: some dozens of pages, or half an hour of sound.
LINKED_FILE_TOKENS = 50_000
# Bytes of base64 that make a token at most: of sound, of pages, and of plain text.
_MEDIA_BYTES = 100
_PAGES_BYTES = 10
_TEXT_BYTES = 5
# Where the several wires name media: by its content or by its address.
_IMAGES = frozenset({"image_url"})
_FILES = frozenset({"audio_url", "file_data", "file_id", "file_url", "video_url"})
_NESTED = frozenset({"input_audio", "source"})
# Where media can stand in a request; what a tool was called with is the caller's own data.
_FIELDS = ("messages", "system", "input")
_TOOL_USE = "tool_use"
_NAMED = _IMAGES | _FILES | _NESTED
_CONTAINERS = (dict, list)


@dataclass(frozen=True, slots=True)
class Media:
    """What a request holds: the bytes that are no text, and tokens for all of it."""

    size: int = 0
    tokens: int = 0

    def __add__(self, other: "Media") -> "Media":
        return Media(self.size + other.size, self.tokens + other.tokens)


NO_MEDIA = Media()


def media_in(body: Mapping[str, Any]) -> Media:
    """The media of a request."""
    found = NO_MEDIA
    rest: list[Any] = [body[field] for field in _FIELDS if field in body]
    while rest:
        one = rest.pop()
        values: Iterable[Any] = ()
        if isinstance(one, list):
            values = one
        elif isinstance(one, dict) and one.get("type") != _TOOL_USE:
            values = one.values()
            if not _NAMED.isdisjoint(one):
                found = sum(_media_of(one), found)
                values = [value for name, value in one.items() if name not in _NESTED]
        for value in values:
            if isinstance(value, _CONTAINERS):
                rest.append(value)  # noqa: PERF401 - a comprehension for each part takes longer
    return found


def _media_of(part: Mapping[str, Any]) -> Iterator[Media]:
    for name, value in part.items():
        if name in _IMAGES or name in _FILES:
            address = value.get("url") if isinstance(value, dict) else value
            if isinstance(address, str) and address:
                yield _at(address, is_image=name in _IMAGES)
        elif name in _NESTED and isinstance(value, dict):
            yield _source(value, is_image=part.get("type") == "image")


def _at(address: str, *, is_image: bool) -> Media:
    """`address` may hold the content itself, as a data URL."""
    if address.startswith("data:"):
        return _inline(address, address[5:40])
    return Media(0, IMAGE_TOKENS if is_image else LINKED_FILE_TOKENS)


def _source(source: Mapping[str, Any], *, is_image: bool) -> Media:
    data, kind = source.get("data"), source.get("type")
    if kind in ("url", "file"):
        return Media(0, IMAGE_TOKENS if is_image else LINKED_FILE_TOKENS)
    if not isinstance(data, str) or kind == "text":
        return NO_MEDIA  # plain text counts as such
    return _inline(data, str(source.get("media_type") or ""))


def _inline(data: str, media_type: str) -> Media:
    per_token = _MEDIA_BYTES
    if media_type.startswith("application/"):
        per_token = _PAGES_BYTES
    elif media_type.startswith("text/"):
        per_token = _TEXT_BYTES
    return Media(len(data), max(IMAGE_TOKENS, -(-len(data) // per_token)))
