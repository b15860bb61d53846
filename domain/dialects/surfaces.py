"""Which client wire each endpoint speaks."""

from collections.abc import Mapping

from domain.dialects.chat import answers as chat
from domain.dialects.chat import going_on
from domain.dialects.chat import reading as chat_reading
from domain.dialects.chat import rendering as chat_rendering
from domain.dialects.completions import CompletionsSurface
from domain.dialects.dialogues import ContinuedSurface, DialogueSurface
from domain.dialects.embeddings import EmbeddingsSurface
from domain.dialects.messages import answers as messages
from domain.dialects.messages import reading as messages_reading
from domain.dialects.messages import rendering as messages_rendering
from domain.dialects.responses import answers as responses
from domain.dialects.responses import reading as responses_reading
from domain.dialects.responses import rendering as responses_rendering
from domain.dialects.surface import Surface
from domain.inference.events import Endpoint

_CHAT = ContinuedSurface(
    read=chat_reading.read_request,
    renderer=chat_rendering.ChunkRenderer,
    whole=chat_rendering.whole,
    is_content=chat.is_content,
    holds=chat.is_whole,
    finished=chat.finished,
    outgoing=chat.OutgoingChat,
    replays=chat.replayed,
    added=chat.added,
    put_out=chat.put_out,
    plain_text=going_on.plain_text,
    going_on=going_on.request_for_the_rest,
    joined=going_on.joined,
)
_MESSAGES = DialogueSurface(
    read=messages_reading.read_request,
    renderer=messages_rendering.EventRenderer,
    whole=messages_rendering.whole,
    is_content=messages.is_content,
    holds=messages.is_whole,
    finished=messages.finished,
    outgoing=messages.OutgoingMessage,
    replays=messages.replayed,
    added=messages.added,
    put_out=messages.put_out,
)
_RESPONSES = DialogueSurface(
    read=responses_reading.read_request,
    renderer=responses_rendering.EventRenderer,
    whole=responses_rendering.whole,
    is_content=responses.is_content,
    holds=responses.is_whole,
    finished=responses.finished,
    outgoing=responses.OutgoingResponse,
    replays=responses.replayed,
    added=responses.added,
    put_out=responses.put_out,
)

SURFACES: Mapping[Endpoint, Surface] = {
    "/v1/chat/completions": _CHAT,
    "/v1/embeddings": EmbeddingsSurface(),
    "/v1/messages": _MESSAGES,
    "/v1/responses": _RESPONSES,
    "/v1/completions": CompletionsSurface(),
}
