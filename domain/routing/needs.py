"""What a request needs of the model that serves it, told by its body in whichever wire."""

from collections.abc import Mapping
from typing import Any

# The types of content parts, in the words of the several wires.
_VISION = frozenset({"image_url", "image", "input_image"})
_NONE: frozenset[str] = frozenset()
_JSON_SCHEMA = "json_schema"
# Where the several wires say in which form an answer is wanted.
_FORMATS = frozenset({"response_format", "output_config", "text"})


def needed(body: Mapping[str, Any]) -> frozenset[str]:
    """The capabilities that the request takes: tools, json_schema, vision."""
    found = set[str]()
    if body.get("tools") or body.get("functions"):
        found.add("tools")
    if not _FORMATS.isdisjoint(body) and _asks_for_schema(body):
        found.add(_JSON_SCHEMA)
    parts = _parts(body)
    if parts and any(part.get("type") in _VISION for part in parts):
        found.add("vision")
    return frozenset(found) if found else _NONE


def texts(body: Mapping[str, Any]) -> list[str]:
    """What the user says, message by message, for a choice by content."""
    found: list[str] = []
    for message in _messages(body):
        content = message.get("content")
        if isinstance(content, str):
            found.append(content)
    found.extend(part["text"] for part in _parts(body) if isinstance(part.get("text"), str))
    found.extend(body[field] for field in ("input", "prompt") if isinstance(body.get(field), str))
    return found


def _asks_for_schema(body: Mapping[str, Any]) -> bool:
    formats = (
        body.get("response_format"),
        _mapping(body.get("output_config")).get("format"),
        _mapping(body.get("text")).get("format"),
    )
    return any(_mapping(one).get("type") == _JSON_SCHEMA for one in formats)


def _messages(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for field in ("messages", "input"):
        given = body.get(field)
        if isinstance(given, list):
            found += [message for message in given if isinstance(message, dict)]
    return found


def _parts(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for message in _messages(body):
        content = message.get("content")
        if isinstance(content, list):
            found.extend(part for part in content if isinstance(part, dict))
    return found


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
