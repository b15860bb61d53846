"""Errors in Google's envelope; their text goes no further."""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

import msgspec

from adapters.providers.failures import (
    UNREADABLE,
    failure_of_error,
    failure_of_status,
    kind_of_status,
    retry_after,
)
from domain.ports.provider import FailureKind, ProviderFailure

_AUTH_REASONS = re.compile(
    r"API_KEY_|API_TARGET_BLOCKED|ACCESS_TOKEN_|ACCOUNT_STATE_INVALID|CREDENTIALS_MISSING"
    r"|CONSUMER_(INVALID|SUSPENDED)|SERVICE_DISABLED|LOCATION_POLICY_VIOLATED"
)
_QUOTA_REASON = "BILLING_DISABLED"
# What the message of a 400 or 404 says beyond its status, the first match first.
_KIND_OF_MESSAGE: tuple[tuple[FailureKind, re.Pattern[str]], ...] = (
    ("auth", re.compile(r"api key (not valid|expired|not found)|user location is not supported")),
    ("context_length", re.compile(r"token count[^.]{0,80} exceeds|exceeds the maximum number of"
                                  r" tokens")),
    ("too_large", re.compile(r"payload size exceeds")),
    ("not_found", re.compile(r"not (servable|supported|available|served) in (the )?[^.]{0,40}"
                             r"(region|location)|(unsupported|invalid|unknown) (region|location)"
                             r"|(region|location)[^.]{0,60} (not|un)(supported|available| "
                             r"(supported|available))"
                             r"|model[^.]{0,160} (not found|is not supported|does not exist)"
                             r"|not supported for (generatecontent|embedcontent)")),
    ("quota", re.compile(r"billing")),
)  # fmt: skip


def google_refusal(status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
    """What a reply of another status than 200 stands for."""
    error = _error_in(content)
    if error is None:
        return failure_of_status(status, headers, content)
    hinted = retry_after(headers)
    return ProviderFailure(
        _kind(status, error),
        f"the provider answered with status {status}",
        status_code=status,
        retry_after=_retry_delay(error) if hinted is None else hinted,
    )


def google_error(error: Any) -> ProviderFailure:
    """What an error within a reply of status 200 stands for."""
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(code, int) or not 400 <= code < 600:
        return failure_of_error(error)
    return ProviderFailure(
        _kind(code, error),
        "the provider reported an error in its reply",
        status_code=code,
        retry_after=_retry_delay(error),
    )


def _error_in(content: bytes) -> dict[str, Any] | None:
    """The error object; some replies wrap the envelope in a list."""
    try:
        parsed = msgspec.json.decode(content)
    except UNREADABLE:
        return None
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    error = parsed.get("error") if isinstance(parsed, dict) else None
    is_google = isinstance(error, dict) and isinstance(error.get("code"), int)
    return error if is_google else None


def _kind(status: int, error: dict[str, Any]) -> FailureKind:
    reasons = [str(detail.get("reason")) for detail in _details(error)]
    if _QUOTA_REASON in reasons:
        return "quota"
    if any(map(_AUTH_REASONS.match, reasons)):
        return "auth"
    if status == 429:
        return "quota" if _is_spent(error) else "rate_limited"
    kind = kind_of_status(status)
    if kind in ("bad_request", "not_found"):
        message = str(error.get("message") or "").lower()
        return next((told for told, words in _KIND_OF_MESSAGE if words.search(message)), kind)
    return kind


def _is_spent(error: dict[str, Any]) -> bool:
    """Whether a quota is used up for the day, or is none at all: waiting a minute is no help."""
    violations = [
        violation
        for detail in _details(error)
        for violation in detail.get("violations") or ()
        if isinstance(violation, dict)
    ]
    return any(
        "PerDay" in str(violation.get("quotaId")) or str(violation.get("quotaValue")) == "0"
        for violation in violations
    )


def _retry_delay(error: dict[str, Any]) -> float | None:
    """Seconds, as `RetryInfo` has them ("12.5s")."""
    given = next((one["retryDelay"] for one in _details(error) if one.get("retryDelay")), None)
    try:
        seconds = float(str(given).removesuffix("s"))
    except ValueError:
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None


def _details(error: dict[str, Any]) -> list[dict[str, Any]]:
    details = error.get("details")
    if not isinstance(details, list):
        return []
    return [detail for detail in details if isinstance(detail, dict)]
