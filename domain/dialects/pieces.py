"""An answer as it comes, piece by piece, in the canonical form.

`choice` counts from 0; `index` counts the tool calls of a choice from 0. Pieces of one tool call
may come between those of another.
"""

from dataclasses import dataclass

from domain.dialects.canonical import FinishReason, Vendor
from domain.inference.events import Usage


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text."""

    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """More readable reasoning."""

    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingSigned:
    """The reasoning so far is signed; with `redacted` it is that which nobody else can read."""

    vendor: Vendor
    signature: str | None = None
    redacted: str | None = None
    choice: int = 0


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """More of the model's own words of refusal."""

    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    """A tool call begins: its id and name are known."""

    index: int
    id: str
    name: str
    signature: str | None = None
    vendor: Vendor | None = None
    choice: int = 0


@dataclass(frozen=True, slots=True)
class ToolArguments:
    """More of the JSON text of a tool call's arguments."""

    index: int
    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """A choice is complete; `stop_sequence` is the one that ended it, where that is told."""

    reason: FinishReason
    stop_sequence: str | None = None
    choice: int = 0


@dataclass(frozen=True, slots=True)
class UsageReported:
    """What the provider counted; a later report replaces an earlier one. `raw` is its JSON text."""

    usage: Usage
    raw: str


Piece = (
    TextDelta
    | ThinkingDelta
    | ThinkingSigned
    | RefusalDelta
    | ToolStarted
    | ToolArguments
    | Finished
    | UsageReported
)
