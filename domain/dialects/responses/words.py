"""The words of this wire: statuses, usage, errors, and what of it cannot be had here."""

from collections.abc import Mapping
from typing import Any, Literal

from domain.dialects.canonical import FinishReason
from domain.errors import InvalidRequest
from domain.inference.events import Failure, Usage

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
# Why an answer is not whole, by the finish reason that says so.
_INCOMPLETE: Mapping[FinishReason, str] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}
# OpenAI's clients know few codes of a response that failed.
_ERROR_CODES: Mapping[int, str] = {
    400: "invalid_prompt",
    413: "invalid_prompt",
    422: "invalid_prompt",
    429: "rate_limit_exceeded",
}


def unsupported(param: str, why: str) -> InvalidRequest:
    """The refusal of what the wire knows and we do not have."""
    return InvalidRequest(f"{param}: {why}", code="unsupported_parameter", param=param)


def ending(finish: FinishReason) -> dict[str, Any]:
    """What a response says about how it ended."""
    reason = _INCOMPLETE.get(finish)
    details = None if reason is None else {"reason": reason}
    status: Status = "completed" if reason is None else "incomplete"
    return {"status": status, "incomplete_details": details}


def finish_of(body: Mapping[str, Any]) -> FinishReason:
    """The finish reason of a whole response."""
    details = body.get("incomplete_details")
    if isinstance(details, Mapping) and details.get("reason") == "content_filter":
        return "content_filter"
    if body.get("status") == "incomplete":
        return "length"
    output = body.get("output") or ()
    return "tool_calls" if any(item.get("type") == "function_call" for item in output) else "stop"


def usage_object(usage: Usage) -> dict[str, Any]:
    """Usage as OpenAI's responses tell it."""
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": written,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def error_object(failure: Failure) -> dict[str, Any]:
    """Why a response failed, under a code that the clients know."""
    code = _ERROR_CODES.get(failure.status_code, "server_error")
    return {"code": code, "message": failure.message}
