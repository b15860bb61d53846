"""OpenAI's embeddings: a wire without turns, which each provider wire translates for itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.dialects.canonical import Answer, Request, Untranslatable
from domain.dialects.chat.answers import without_provider_fields
from domain.dialects.surface import Body, Delta, Head, Outgoing, Renderer
from domain.inference.events import Usage
from domain.rating.estimate import NOTHING, Told

_NO_TURNS = "embeddings are no dialogue"


class EmbeddingsSurface:
    """See `domain.dialects.surface.Surface`; nothing of it is streamed."""

    def read(self, body: Mapping[str, Any]) -> Request:
        raise Untranslatable(_NO_TURNS)

    def renderer(self) -> Renderer:
        raise Untranslatable(_NO_TURNS)

    def whole(self, answer: Answer) -> Body:
        raise Untranslatable(_NO_TURNS)

    def is_content(self, delta: Delta) -> bool:
        return True

    def is_whole(self, request: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
        vectors = body.get("data")
        return (
            isinstance(vectors, list)
            and len(vectors) == _inputs(request.get("input"))
            and all(isinstance(vector, dict) and vector.get("embedding") for vector in vectors)
        )

    def finished(self, body: Body, head: Head, usage: Usage) -> Body:
        shown = without_provider_fields(body)
        shown.pop("id", None)
        shown["object"], shown["model"] = "list", head.model
        shown["usage"] = {
            "prompt_tokens": usage.input_tokens,
            "total_tokens": usage.input_tokens,
        }
        return shown

    def outgoing(self, request: Mapping[str, Any], head: Head) -> Outgoing:
        raise Untranslatable(_NO_TURNS)

    def replayed(self, body: Body) -> Sequence[Delta]:
        return ()

    def added(self, delta: Delta) -> Told:
        return NOTHING

    def put_out(self, body: Mapping[str, Any]) -> Told:
        return NOTHING


def _inputs(given: object) -> int:
    """How many texts an embeddings request asks for; a list of numbers is one text as tokens."""
    if isinstance(given, list) and not all(isinstance(item, int) for item in given):
        return len(given)
    return 1
