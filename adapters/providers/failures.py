"""How an upstream reply that is no answer becomes a `ProviderFailure`; its text goes no further."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

import msgspec

from domain.ports.provider import FailureKind, ProviderFailure

_KIND_OF_STATUS: Mapping[int, FailureKind] = {
    400: "bad_request",
    401: "auth",
    402: "quota",
    403: "auth",
    404: "not_found",
    405: "not_found",
    408: "overloaded",
    409: "server_error",
    410: "not_found",
    412: "auth",
    413: "too_large",
    415: "bad_request",
    422: "bad_request",
    424: "overloaded",
    425: "server_error",
    429: "rate_limited",
    451: "refused",
    498: "overloaded",
    499: "overloaded",
    500: "server_error",
    501: "not_found",
}
# What an error's code, type or message says beyond its status, the first match first.
_KIND_OF_TEXT: tuple[tuple[FailureKind, re.Pattern[str]], ...] = (
    ("quota", re.compile(r"insufficient_quota|exceeded[ _](your[ _])?current[ _]quota"
                         r"|credit balance|insufficient[ _](balance|credits|funds)")),
    ("context_length", re.compile(r"context_length_exceeded|(maximum|max) context length"
                                  r"|prompt is too long|context window|input is too long"
                                  r"|exceeds? (the )?context limit")),
    ("refused", re.compile(r"content_filter|content_policy|content management policy|moderation"
                           r"|flagged|safety_block|guardrail")),
    ("rate_limited", re.compile(r"rate_limit|tokens per minute|too many requests")),
    ("not_found", re.compile(r"model_not_found|model[^.]{0,80} (not found|does not exist"
                             r"|is not supported)|no such model|on-demand throughput")),
    ("auth", re.compile(r"invalid_api_key|api key not valid|(invalid|incorrect) api key"
                        r"|user location is not supported")),
    ("overloaded", re.compile(r"overloaded|server_busy|unavailable")),
    ("server_error", re.compile(r"server_error|internal error|api_error")),
)  # fmt: skip
# Statuses whose meaning the text may change; the others say what they mean.
_TEXT_DECIDES = frozenset({400, 403, 413, 422, 429})
_MAX_ERROR_TEXT = 4096
# What decoding JSON raises on bytes that are none, not UTF-8, or nested too deep.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def failure_of_status(status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
    """The failure that an HTTP status other than 200 stands for."""
    kind = kind_of_status(status)
    if status in _TEXT_DECIDES:
        kind = _kind_of_text(_error_text(_parsed(content))) or kind
    return ProviderFailure(
        kind,
        f"the provider answered with status {status}",
        status_code=status,
        retry_after=retry_after(headers),
    )


def failure_of_error(error: object) -> ProviderFailure:
    """The failure that an error object within a reply of status 200 stands for."""
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else None
    kind = _kind_of_text(_error_text(error)) or (kind_of_status(status) if status else None)
    return ProviderFailure(
        kind or "malformed", "the provider reported an error in its reply", status_code=status
    )


def kind_of_status(status: int) -> FailureKind:
    """What a status means by itself; a redirect, which is not followed, is no answer."""
    if status in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[status]
    if status >= 500:
        return "overloaded"
    return "bad_request" if status >= 400 else "malformed"


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds until the provider wants to be asked again: `retry-after-ms`, seconds or a date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    return seconds if seconds is not None or text is None else _seconds_until(text, now)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) and value >= 0 else None


def _seconds_until(date: str, now: datetime | None) -> float | None:
    try:
        then = parsedate_to_datetime(date)
        return max(0.0, (then - (now or datetime.now(then.tzinfo))).total_seconds())
    except (ValueError, TypeError):
        return None


def _kind_of_text(text: str) -> FailureKind | None:
    return next((kind for kind, pattern in _KIND_OF_TEXT if pattern.search(text)), None)


def _error_text(error: object) -> str:
    """Code, type and message of an error object in any of the common shapes, in lower case."""
    if isinstance(error, list) and error:
        error = error[0]
    if isinstance(error, dict) and "error" in error:
        error = error["error"]
    if isinstance(error, dict):
        named: dict[str, Any] = error
        parts = (named.get(field) for field in ("code", "type", "status", "message", "detail"))
        error = " ".join(part for part in parts if isinstance(part, str))
    return error[:_MAX_ERROR_TEXT].lower() if isinstance(error, str) else ""


def _parsed(content: bytes) -> object:
    try:
        return msgspec.json.decode(content)
    except UNREADABLE:
        return content.decode(errors="replace")
