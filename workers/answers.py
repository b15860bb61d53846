"""From a provider's reply to the customer's answer: checked, under our model name, nothing else.

A reply that is no whole answer is a failed attempt like any other (`ProviderFailure`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from domain.inference.events import Endpoint, Usage
from domain.ports.provider import ProviderFailure

# What a provider adds for itself; fields that begin with `x_` go too.
_PROVIDER_FIELDS = frozenset(
    {
        "kv_transfer_params",
        "nvext",
        "prompt_logprobs",
        "prompt_token_ids",
        "provider",
        "provider_name",
        "system_fingerprint",
        "time_info",
        "timings",
    }
)


def check_answer(endpoint: Endpoint, request: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
    """Raises `ProviderFailure` ("malformed") when `reply` does not answer `request` in full."""
    if not _CHECKS[endpoint](request, reply):
        raise ProviderFailure("malformed", "the provider's reply is no complete answer")


def answer_body(
    endpoint: Endpoint, model: str, reply: Mapping[str, Any], usage: Usage
) -> dict[str, Any]:
    """The body for the customer: the canonical model, and the usage that is charged."""
    body = {
        name: value
        for name, value in reply.items()
        if name not in _PROVIDER_FIELDS and not name.startswith("x_")
    }
    body["model"] = model
    body["usage"] = _USAGE[endpoint](usage)
    return body


def _chat_is_whole(_request: Mapping[str, Any], reply: Mapping[str, Any]) -> bool:
    choices = reply.get("choices")
    return isinstance(choices, list) and bool(choices) and all(map(_choice_is_whole, choices))


def _choice_is_whole(choice: object) -> bool:
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        return False
    # An empty message is an answer when the model says that it has ended; "error" says it broke.
    return choice.get("finish_reason") != "error" and (
        bool(choice.get("finish_reason")) or any(map(choice["message"].get, _CONTENT))
    )


_CONTENT = ("content", "tool_calls", "refusal", "reasoning_content", "reasoning", "audio")


def _embeddings_are_whole(request: Mapping[str, Any], reply: Mapping[str, Any]) -> bool:
    vectors = reply.get("data")
    return (
        isinstance(vectors, list)
        and len(vectors) == _inputs(request.get("input"))
        and all(isinstance(vector, dict) and vector.get("embedding") for vector in vectors)
    )


def _inputs(given: object) -> int:
    """How many texts an embeddings request asks for; a list of numbers is one text as tokens."""
    if isinstance(given, list) and not all(isinstance(item, int) for item in given):
        return len(given)
    return 1


def _chat_usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _embeddings_usage(usage: Usage) -> dict[str, Any]:
    return {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}


_CHECKS: Mapping[Endpoint, Callable[[Mapping[str, Any], Mapping[str, Any]], bool]] = {
    "/v1/chat/completions": _chat_is_whole,
    "/v1/embeddings": _embeddings_are_whole,
}
_USAGE: Mapping[Endpoint, Callable[[Usage], dict[str, Any]]] = {
    "/v1/chat/completions": _chat_usage,
    "/v1/embeddings": _embeddings_usage,
}
