"""Durations as people write them: `250ms`, `2s`, `15m`, `8h`, `1d`."""

import re

_FORM = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(text: str) -> float:
    """The duration in seconds. Raises `ValueError` with the accepted form."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration; write it like 250ms, 2s, 15m, 8h or 1d")
    return float(match[1]) * _SECONDS[match[2]]
