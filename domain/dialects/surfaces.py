"""Which client wire each endpoint speaks."""

from collections.abc import Mapping

from domain.dialects.chat.surface import ChatSurface
from domain.dialects.completions import CompletionsSurface
from domain.dialects.embeddings import EmbeddingsSurface
from domain.dialects.messages.surface import MessagesSurface
from domain.dialects.responses.surface import ResponsesSurface
from domain.dialects.surface import Surface
from domain.inference.events import Endpoint

SURFACES: Mapping[Endpoint, Surface] = {
    "/v1/chat/completions": ChatSurface(),
    "/v1/embeddings": EmbeddingsSurface(),
    "/v1/messages": MessagesSurface(),
    "/v1/responses": ResponsesSurface(),
    "/v1/completions": CompletionsSurface(),
}
