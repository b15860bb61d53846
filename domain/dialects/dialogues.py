"""The wires of dialogues: the functions of a dialect, put together to its surface."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.dialects.canonical import Answer, Request
from domain.dialects.surface import Body, Delta, Head, Outgoing, Renderer
from domain.inference.events import Usage
from domain.rating.estimate import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogueSurface:
    """See `domain.dialects.surface.Surface`, whose methods the fields are.

    `holds` says whether a body is a complete one, `replays` tells a finished body in deltas.
    """

    read: Callable[[Mapping[str, Any]], Request]
    renderer: Callable[[], Renderer]
    whole: Callable[[Answer], Body]
    is_content: Callable[[Delta], bool]
    holds: Callable[[Mapping[str, Any]], bool]
    finished: Callable[[Body, Head, Usage], Body]
    outgoing: Callable[[Mapping[str, Any], Head], Outgoing]
    replays: Callable[[Body], Iterable[Delta]]
    added: Callable[[Delta], Told]
    put_out: Callable[[Mapping[str, Any]], Told]

    def is_whole(self, request: Mapping[str, Any], body: Mapping[str, Any], /) -> bool:
        return self.holds(body)

    def replayed(self, body: Body, /) -> Sequence[Delta]:
        return list(self.replays(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuedSurface(DialogueSurface):
    """See `domain.dialects.surface.GoesOn` too."""

    plain_text: Callable[[Delta], str | None]
    going_on: Callable[[Mapping[str, Any], str], Body | None]
    joined: Callable[[str, Body], Body]
