"""What of a request has no place in another wire: named where it only tunes, else refused."""

from collections.abc import Iterator, Mapping
from typing import Any

from domain.dialects.canonical import Request, Untranslatable

# Leaving these out would bring another answer than the one that is asked for.
_MEANINGFUL = frozenset(
    {
        "audio",
        "container",
        "conversation",
        "mcp_servers",
        "modalities",
        "previous_response_id",
        "prompt",
        "web_search_options",
    }
)
# A value that asks for nothing beyond the default needs no mention.
_DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "service_tier": ("auto", "default"),
    "store": (False,),
}


def unless_default(name: str, value: object) -> Iterator[str]:
    """The name, where the caller asked for something by it."""
    if value is not None and value not in _DEFAULTS.get(name, ()):
        yield name


def without_extras(request: Request) -> Iterator[str]:
    """The names of the extras. Raises `Untranslatable` for one that the answer depends on."""
    for name, value in request.extras.items():
        for told in unless_default(name, value):
            if told in _MEANINGFUL:
                raise Untranslatable(f"the provider has no {told}", told)
            yield told
