"""What a translated request is written for, and the names of what had no place in it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from domain.dialects.canonical import Request, Untranslatable
from domain.dialects.leaving_out import unless_default, without_extras

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


@dataclass(frozen=True, slots=True)
class Target:
    """The provider's model, and the most tokens it puts out where that is known."""

    native_id: str
    max_output_tokens: int | None = None


@dataclass(slots=True)
class Dropped:
    """What is left out, by its canonical name or that of an extra, each once, as it was met."""

    names: dict[str, None] = field(default_factory=dict)

    def add(self, *names: str) -> None:
        """Takes names in."""
        self.names.update(dict.fromkeys(names))


def leave_out(request: Request, dropped: Dropped, carried: Iterable[str] = ()) -> None:
    """Names what tunes the answer, and each extra, unless it is `carried` by the wire.

    Raises `Untranslatable` for what would change the answer.
    """
    if request.choices > 1:
        raise Untranslatable("the provider gives one choice a request", "n")
    for name in _TUNING:
        if name not in carried:
            dropped.add(*unless_default(name, getattr(request, name)))
    dropped.add(*(name for name in without_extras(request) if name not in carried))


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
