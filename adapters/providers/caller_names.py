"""What a canonical field is called by callers of each endpoint, to tell them what was left out."""

from collections.abc import Mapping

from domain.inference.events import Endpoint
from domain.ports.provider import ProviderCall

# Where there are several names, the caller's is the one that stands in the request.
_Names = Mapping[str, tuple[str, ...]]
_CHAT: _Names = {
    "choices": ("n",),
    "effort": ("reasoning_effort", "reasoning", "thinking"),
    "max_output_tokens": ("max_completion_tokens", "max_tokens"),
    "output": ("response_format",),
    "parallel_tools": ("parallel_tool_calls",),
    "thinking_budget": ("reasoning", "thinking"),
    "user": ("user", "safety_identifier"),
}
_NAMES: Mapping[Endpoint, _Names] = {
    "/v1/chat/completions": _CHAT,
    "/v1/completions": _CHAT,
    "/v1/messages": {
        "choices": ("n",),
        "effort": ("output_config", "thinking"),
        "max_output_tokens": ("max_tokens",),
        "output": ("output_config", "output_format"),
        "parallel_tools": ("tool_choice",),
        "stop": ("stop_sequences",),
        "thinking_budget": ("thinking",),
        "user": ("metadata",),
    },
    "/v1/responses": {
        "choices": ("n",),
        "effort": ("reasoning",),
        "output": ("text",),
        "parallel_tools": ("parallel_tool_calls",),
        "thinking_budget": ("reasoning",),
        "user": ("user", "safety_identifier"),
        "verbosity": ("text",),
    },
}


def caller_name(call: ProviderCall, field: str) -> str:
    """The caller's name of a canonical field; any other name is already the caller's own."""
    names = _NAMES.get(call.endpoint, _CHAT).get(field, (field,))
    return next((name for name in names if call.body.get(name) is not None), names[0])
