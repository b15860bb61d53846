"""Taking typed fields out of a caller's JSON; what is of another kind is refused by its name."""

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeVar

from domain.dialects.canonical import CacheMark
from domain.errors import InvalidRequest

_T = TypeVar("_T")
Fields = Mapping[str, Any]


def invalid(param: str, why: str) -> InvalidRequest:
    """The refusal of one field."""
    return InvalidRequest(f"{param}: {why}", code="invalid_value", param=param)


def text(value: object, param: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise invalid(param, "must be a string")
    return value


def number(value: object, param: str) -> float:
    """Any number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(param, "must be a number")
    return value


def integer(value: object, param: str) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(param, "must be an integer")
    return value


def flag(value: object, param: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise invalid(param, "must be true or false")
    return value


def mapping(value: object, param: str) -> Fields:
    """A JSON object."""
    if not isinstance(value, Mapping):
        raise invalid(param, "must be an object")
    return value


def items(value: object, param: str) -> Sequence[Any]:
    """A JSON array."""
    if not isinstance(value, list | tuple):
        raise invalid(param, "must be an array")
    return value


def texts(value: object, param: str) -> tuple[str, ...]:
    """An array of strings."""
    return tuple(text(item, param) for item in items(value, param))


def optional(
    fields: Fields, name: str, kind: Callable[[object, str], _T], within: str = ""
) -> _T | None:
    """The field as `kind` reads it; None when it is absent or null."""
    value = fields.get(name)
    return None if value is None else kind(value, f"{within}{name}")


def required(fields: Fields, name: str, kind: Callable[[object, str], _T], within: str = "") -> _T:
    """The field as `kind` reads it; a missing one is refused."""
    value = fields.get(name)
    if value is None:
        param = f"{within}{name}"
        message = f"{param} is missing"
        raise InvalidRequest(message, code="missing_required_parameter", param=param)
    return kind(value, f"{within}{name}")


def cache_mark(block: Fields) -> CacheMark | None:
    """What `cache_control` of a content block asks for, in the form that Anthropic gave it."""
    asked = block.get("cache_control")
    if not isinstance(asked, Mapping) or asked.get("type") != "ephemeral":
        return None
    return "1h" if asked.get("ttl") == "1h" else "5m"


def cache_control(mark: CacheMark) -> dict[str, Any]:
    """A cache mark as `cache_control`; five minutes are what it means by itself."""
    return {"type": "ephemeral", "ttl": "1h"} if mark == "1h" else {"type": "ephemeral"}


def inline(url: str) -> tuple[str, str] | None:
    """Media type and base64 of a data URL, or None for a URL that leads elsewhere."""
    if not url.startswith("data:"):
        return None
    head, _, data = url.removeprefix("data:").partition(",")
    media_type, *options = head.split(";")
    if "base64" not in options or not data:
        return None
    return media_type or "text/plain", data


def json_text(value: object) -> str:
    """Parsed JSON as compact text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_object(content: str) -> dict[str, Any]:
    """The arguments of a tool call as an object; those that are none stand under `_raw`."""
    if not content.strip():
        return {}
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        parsed = None
    return parsed if isinstance(parsed, dict) else {"_raw": content}


def fragment(value: object) -> str:
    """A piece of text in a provider's reply; "" for null. Raises `TypeError` when it is none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError("a text fragment must be a string")
    return value


def made_up_id(prefix: str, *sources: object) -> str:
    """An id where a provider gave none; the same for the same sources."""
    return f"{prefix}{sha256(json_text([str(one) for one in sources]).encode()).hexdigest()[:24]}"
