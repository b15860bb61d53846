"""Fields of what providers send, checked as they are read."""

from collections.abc import Mapping
from typing import Any

from adapters.providers.usage import MAX_TOKENS


def token_count(fields: Mapping[str, Any], name: str) -> int | None:
    """A count by its name, or None when it is absent or makes no sense; 12.0 counts as 12."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MAX_TOKENS and value == int(value) else None


def text_in(fields: Mapping[str, Any], name: str) -> str:
    """A text by its name, "" when it is absent. Raises `TypeError` for anything else."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text")
    return value
