"""Counts of tokens in what providers report."""

from collections.abc import Mapping
from typing import Any

from adapters.providers.usage import MAX_TOKENS


def token_count(fields: Mapping[str, Any], name: str) -> int | None:
    """A count by its name, or None when it is absent or makes no sense; 12.0 counts as 12."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MAX_TOKENS and value == int(value) else None
