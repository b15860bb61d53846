"""What an error of Cohere stands for; its text goes no further."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from adapters.providers.failures import UNREADABLE, failure_of_status
from domain.ports.provider import FailureKind, ProviderFailure

# Cohere's own status for input or output with a word on its list.
_DENY_LISTED: Final = 498
_TEXTS: Final[tuple[tuple[FailureKind, re.Pattern[str]], ...]] = (
    ("quota", re.compile(r"calls? ?/ ?month|monthly|billing|payment")),
    ("context_length", re.compile(r"too many tokens|too long|exceeds the context")),
    ("refused", re.compile(r"deny-listed|blocked|toxic")),
    ("rate_limited", re.compile(r"rate limit|limited to \d+ api calls|request limit")),
)  # fmt: skip


def failure_of_reply(status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
    """The failure that an HTTP status other than 200 stands for."""
    failure = failure_of_status(status, headers, content)
    said = _kind(_message(content)) if status in (400, 422, 429) else None
    if status == _DENY_LISTED:
        said = "refused"
    if said is not None:
        failure.kind = said
    return failure


def failure_of_text(text: str, kind: FailureKind = "server_error") -> ProviderFailure:
    """The failure that an error within a reply of status 200 stands for; `kind` unless it says."""
    return ProviderFailure(_kind(text) or kind, "the provider reported an error in its reply")


def _kind(text: str) -> FailureKind | None:
    text = text.lower()
    return next((kind for kind, pattern in _TEXTS if pattern.search(text)), None)


def _message(content: bytes) -> str:
    try:
        body = msgspec.json.decode(content)
    except UNREADABLE:
        return ""
    message = body.get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) else ""
