"""Reading a job submission: what is asked for, checked before anything is recorded."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from domain.durations import seconds_of
from domain.errors import InvalidRequest
from domain.inference.events import Endpoint, Lane

EventName = Literal["job.completed", "job.failed", "job.cancelled", "job.expired"]
MetadataKey = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
MetadataValue = Annotated[str, msgspec.Meta(max_length=512)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31)]


class WebhookRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Where to call back; no `events` means every terminal one."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
    events: list[EventName] = []


class JobRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/jobs`. `deadline`: Unix seconds, or a duration from now such as "15m"."""

    endpoint: Endpoint
    body: msgspec.Raw
    webhook: WebhookRequest | None = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], msgspec.Meta(max_length=16)] = {}
    lane: Lane = "standard"
    deadline: float | str | None = None


class ChatMessage(msgspec.Struct):
    """The part of a chat message that is checked; the rest passes through untouched."""

    role: Annotated[str, msgspec.Meta(min_length=1)]
    content: str | list[Any] | None = None


class ChatBody(msgspec.Struct):
    """The part of a chat completion body that admission needs."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    messages: Annotated[list[ChatMessage], msgspec.Meta(min_length=1)]
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    stream: bool | None = None


class EmbeddingsBody(msgspec.Struct):
    """The part of an embeddings body that admission needs."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    input: str | list[Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a body asks for: the model, and the most output tokens, None for the model's limit."""

    model: str
    max_output_tokens: int | None
    choices: int


_request = msgspec.json.Decoder(JobRequest)
_chat = msgspec.json.Decoder(ChatBody)
_embeddings = msgspec.json.Decoder(EmbeddingsBody)


def read_request(raw: bytes) -> JobRequest:
    """Reads a submission. Raises `InvalidRequest` with the field at fault."""
    request: JobRequest = _decoded(_request, raw, "")
    return request


def read_body(request: JobRequest) -> Wanted:
    """Reads what admission needs from the endpoint's body. Raises `InvalidRequest`."""
    if request.endpoint == "/v1/embeddings":
        embeddings = _decoded(_embeddings, bytes(request.body), "body")
        if not embeddings.input:
            raise InvalidRequest("the input is empty", param="body.input")
        return Wanted(embeddings.model, 0, 1)
    chat = _decoded(_chat, bytes(request.body), "body")
    return Wanted(chat.model, chat.max_completion_tokens or chat.max_tokens, chat.n or 1)


def deadline_at(deadline: float | str | None, now: int) -> int | None:
    """The deadline in Unix milliseconds. Raises `InvalidRequest` unless it lies ahead."""
    if deadline is None:
        return None
    try:
        ahead = seconds_of(deadline) if isinstance(deadline, str) else deadline - now / 1000
    except ValueError as error:
        raise InvalidRequest(str(error), param="deadline") from error
    if not 0 < ahead < 366 * 24 * 3600:
        raise InvalidRequest("the deadline must lie ahead, within a year", param="deadline")
    return now + int(ahead * 1000)


def _decoded(decoder: msgspec.json.Decoder[Any], raw: bytes, place: str) -> Any:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        param = (place + path.rstrip("`")).lstrip(".") or None
        raise InvalidRequest(message, param=param) from error
    except RecursionError as error:
        raise InvalidRequest("the body is nested too deeply", code="invalid_json") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest("the body is not valid JSON", code="invalid_json") from error
