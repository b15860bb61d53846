"""Why an answer ended and what it used, in Anthropic's words."""

from collections.abc import Mapping
from typing import Any

from domain.dialects.canonical import FinishReason
from domain.inference.events import Usage

_FINISHES: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "compaction": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    # Only Anthropic's own tools pause a turn, and only callers of this wire can have these.
    "pause_turn": "stop",
}
_STOPS: Mapping[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def finish_of(stop_reason: str) -> FinishReason:
    """In OpenAI's words. Raises `ValueError` for a reason that is not known to be an end."""
    if stop_reason not in _FINISHES:
        raise ValueError("the answer ended for an unknown reason")
    return _FINISHES[stop_reason]


def stop_of(finish: FinishReason, stop_sequence: str | None) -> str:
    """In Anthropic's words."""
    return "stop_sequence" if stop_sequence is not None and finish == "stop" else _STOPS[finish]


def usage_object(usage: Usage) -> dict[str, Any]:
    """Usage as Anthropic tells it: the cache's share of the input stands beside the rest."""
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    fresh = usage.input_tokens - usage.cached_input_tokens - written
    told: dict[str, Any] = {
        "input_tokens": max(0, fresh),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
    }
    if written:
        told["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        }
    if usage.reasoning_tokens:
        told["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return told
