"""Chat completions as a client wire."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.dialects.canonical import Answer, Request
from domain.dialects.chat import answers, going_on, rendering
from domain.dialects.chat.reading import read_request
from domain.dialects.surface import Body, Delta, Head, Outgoing, Renderer
from domain.inference.events import Usage
from domain.rating.estimate import Told


class ChatSurface:
    """See `domain.dialects.surface.Surface`."""

    def read(self, body: Mapping[str, Any]) -> Request:
        return read_request(body)

    def renderer(self) -> Renderer:
        return rendering.ChunkRenderer()

    def whole(self, answer: Answer) -> Body:
        return rendering.whole(answer)

    def is_content(self, delta: Delta) -> bool:
        return answers.is_content(delta)

    def is_whole(self, request: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
        return answers.is_whole(body)

    def finished(self, body: Body, head: Head, usage: Usage) -> Body:
        return answers.finished(body, head, usage)

    def outgoing(self, request: Mapping[str, Any], head: Head) -> Outgoing:
        return answers.OutgoingChat(request, head)

    def replayed(self, body: Body) -> Sequence[Delta]:
        return answers.replayed(body)

    def plain_text(self, delta: Delta) -> str | None:
        """See `domain.dialects.surface.GoesOn`."""
        return going_on.plain_text(delta)

    def going_on(self, request: Mapping[str, Any], text: str) -> Body | None:
        """See `domain.dialects.surface.GoesOn`."""
        return going_on.request_for_the_rest(request, text)

    def joined(self, text: str, body: Body) -> Body:
        """See `domain.dialects.surface.GoesOn`."""
        return going_on.joined(text, body)

    def added(self, delta: Delta) -> Told:
        return answers.added(delta)

    def put_out(self, body: Mapping[str, Any]) -> Told:
        return answers.put_out(body)
