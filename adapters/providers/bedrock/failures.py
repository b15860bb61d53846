"""What an exception of AWS stands for; its text goes no further."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from adapters.providers.failures import UNREADABLE, kind_of_status, retry_after
from domain.ports.provider import FailureKind, ProviderFailure

_KINDS: Final[Mapping[str, FailureKind]] = {
    "AccessDeniedException": "auth",
    "ExpiredTokenException": "auth",
    "IncompleteSignatureException": "auth",
    "InvalidSignatureException": "auth",
    "MissingAuthenticationTokenException": "auth",
    "UnrecognizedClientException": "auth",
    "InternalServerException": "server_error",
    "ModelErrorException": "overloaded",
    "ModelNotReadyException": "overloaded",
    "ModelStreamErrorException": "overloaded",
    "ModelTimeoutException": "overloaded",
    "ResourceNotFoundException": "not_found",
    "ServiceQuotaExceededException": "quota",
    "ServiceUnavailableException": "overloaded",
    "ThrottlingException": "rate_limited",
    "ValidationException": "bad_request",
}
# What the text of a refusal says beyond its class, the first match first.
_OF_VALIDATION: Final[tuple[tuple[FailureKind, re.Pattern[str]], ...]] = (
    ("context_length", re.compile(r"too long|too many (input )?tokens|input tokens? exceed"
                                  r"|context (length|window|limit)|maximum (context|tokens)"
                                  r"|exceeds? the (max|model|limit of tokens)")),
    ("not_found", re.compile(r"on-demand throughput|model identifier is invalid"
                             r"|model (id|version)[^.]{0,60}(not|end of its life)"
                             r"|isn.t supported in this region|legacy")),
    ("auth", re.compile(r"operation not allowed|not authorized|access to (this|the) model")),
    ("refused", re.compile(r"content filter|guardrail|blocked|content policy")),
)  # fmt: skip
_OF_THROTTLING: Final = re.compile(r"per day|daily")


def failure_of_exception(
    name: str, text: str, status: int | None = None, after: float | None = None
) -> ProviderFailure:
    """The failure behind an exception by its class; of an unknown one, by its status."""
    # Within a stream the first letter is small.
    name = name[:1].upper() + name[1:]
    kind = _KINDS.get(name) or (kind_of_status(status) if status else "server_error")
    text = text.lower()
    if kind == "bad_request":
        kind = next((one for one, words in _OF_VALIDATION if words.search(text)), kind)
    elif kind == "rate_limited" and _OF_THROTTLING.search(text):
        kind = "quota"
    return ProviderFailure(
        kind, "the provider refused the request", status_code=status, retry_after=after
    )


def failure_of_reply(status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
    """The failure that an HTTP status other than 200 stands for."""
    named, text = exception_of(content)
    name = (headers.get("x-amzn-errortype") or named).partition(":")[0].rpartition("#")[2]
    return failure_of_exception(name, text, status, retry_after(headers))


def exception_of(content: bytes) -> tuple[str, str]:
    """The class and the text of an exception's body, "" where it does not say."""
    try:
        body = msgspec.json.decode(content)
    except UNREADABLE:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    name = body.get("__type") or body.get("code")
    text = body.get("message") or body.get("Message")
    return name if isinstance(name, str) else "", text if isinstance(text, str) else ""
