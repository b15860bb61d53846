"""What a translated request is written for, and what of it every such wire must leave out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from domain.dialects.canonical import Request, Untranslatable

# The canonical fields that only tune an answer and that not every wire has.
_TUNING: Final = (
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "verbosity",
    "user",
)
# Leaving these out would bring another answer than the one that is asked for.
_MEANINGFUL: Final = frozenset(
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
_DEFAULTS: Final[Mapping[str, tuple[Any, ...]]] = {
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "service_tier": ("auto", "default"),
    "store": (False,),
}


@dataclass(frozen=True, slots=True)
class Target:
    """The provider's model, and the most tokens it puts out where that is known."""

    native_id: str
    max_output_tokens: int | None = None


@dataclass(slots=True)
class Dropped:
    """What is left out, by its canonical name or that of an extra, each once, as it was met."""

    names: dict[str, None] = field(default_factory=dict)

    def add(self, name: str) -> None:
        """Takes a name in."""
        self.names[name] = None

    def unless_default(self, name: str, value: object) -> None:
        """Takes the name in where the caller asked for something by it."""
        if value is not None and value not in _DEFAULTS.get(name, ()):
            self.add(name)


def leave_out(request: Request, dropped: Dropped, carried: frozenset[str] = frozenset()) -> None:
    """Names what tunes the answer, and each extra, unless it is `carried` by the wire.

    Raises `Untranslatable` for what would change the answer.
    """
    if request.choices > 1:
        raise Untranslatable("the provider gives one choice a request", "n")
    for name in _TUNING:
        if name not in carried:
            dropped.unless_default(name, getattr(request, name))
    for name, value in request.extras.items():
        if name in carried:
            continue
        if name in _MEANINGFUL and value is not None and value not in _DEFAULTS.get(name, ()):
            raise Untranslatable(f"the provider has no {name}", name)
        dropped.unless_default(name, value)


def output_limit(request: Request, target: Target, dropped: Dropped) -> int | None:
    """The most tokens to ask for; a limit above the model's is lowered to it, and named."""
    asked, most = request.max_output_tokens, target.max_output_tokens
    if asked is not None and most is not None and asked > most:
        dropped.add("max_output_tokens")
        return most
    return asked


def at_most(value: float | None, most: float, name: str, dropped: Dropped) -> float | None:
    """`value`, lowered to `most` and named where it is above."""
    if value is None or value <= most:
        return value
    dropped.add(name)
    return most
