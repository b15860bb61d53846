"""Errors in the form that the clients of a route know, as a body and as a stream's last word."""

from collections.abc import Mapping
from typing import Any

# Their clients send it with every request, and nobody else's do.
ANTHROPIC_VERSION = "anthropic-version"
# Anthropic's words for a status; its clients tell errors apart by them.
_ANTHROPIC_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
# The `type` of an error body, in the words that OpenAI's clients know.
_OPENAI_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    410: "gone_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


def is_anthropic(path: str) -> bool:
    """Whether the clients of a route are Anthropic's."""
    return path == "/v1/messages" or path.startswith("/v1/messages/")


def error_body(
    path: str, status: int, error: Mapping[str, Any], *, anthropic: bool = False
) -> dict[str, Any]:
    """The body of an error reply; `error` has code, message, param, request_id and what else we
    tell. `anthropic` says that one of Anthropic's clients asks, whichever the path.
    """
    if anthropic or is_anthropic(path):
        request_id = error.get("request_id")
        told = {name: value for name, value in error.items() if name != "request_id"}
        kind = _ANTHROPIC_TYPES.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, **told}, "request_id": request_id}
    return {"error": {"type": _OPENAI_TYPES.get(status, "api_error"), **error}}


def error_event(error: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The event, of that number, by which the stream of a response tells an error."""
    told = {name: error.get(name) for name in ("code", "message", "param")}
    return {"type": "error", **told, "sequence_number": number}
