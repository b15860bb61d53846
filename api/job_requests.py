"""Reading a job submission: what is asked for, checked before anything is recorded."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from domain.durations import seconds_of
from domain.errors import InvalidRequest
from domain.inference.events import Endpoint, Lane

EventName = Literal["job.completed", "job.failed", "job.cancelled", "job.expired"]
MetadataKey = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
MetadataValue = Annotated[str, msgspec.Meta(max_length=512)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
T = TypeVar("T")

# Fields that make some providers use another model, tool or tier: what they cost is not in the
# price that is quoted at admission, so a request with one is refused instead of undercharged.
UNPRICED = (
    "audio",
    "best_of",
    "models",
    "plugins",
    "prediction",
    "provider",
    "route",
    "web_search_options",
)
STANDARD_TIERS = (None, "auto", "default")


class WebhookRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Where to call back; no `events` means every terminal one."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
    events: list[EventName] = []


class JobRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/jobs`. `deadline`: Unix seconds, or a duration from now such as "15m"."""

    endpoint: Endpoint
    body: dict[str, Any]
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
    """What a body asks for.

    `max_output_tokens` is for one choice, None for the model's limit; `token_ids` counts the
    input that came as token ids.
    """

    model: str
    max_output_tokens: int | None
    choices: int
    token_ids: int = 0


def read_document(raw: bytes) -> Any:
    """Reads JSON strictly and whole, so that what is accepted can be read again later.

    Raises `InvalidRequest` for what is not JSON, not UTF-8, nested too deeply or out of range.
    """
    try:
        return msgspec.json.decode(raw)
    except RecursionError as error:
        raise InvalidRequest("the body is nested too deeply", code="invalid_json") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidRequest("the body is not valid JSON", code="invalid_json") from error


def read_request(document: Any) -> JobRequest:
    """What is submitted. Raises `InvalidRequest` with the field at fault."""
    return _converted(document, JobRequest, "")


def read_body(endpoint: Endpoint, body: dict[str, Any], place: str = "") -> Wanted:
    """What admission needs from the endpoint's body, which stands at `place` in the request.

    Raises `InvalidRequest`.
    """
    _refuse_unpriced(body, place)
    if endpoint == "/v1/embeddings":
        embeddings = _converted(body, EmbeddingsBody, place)
        if not embeddings.input:
            raise InvalidRequest("the input is empty", param=_at(place, "input"))
        return Wanted(embeddings.model, 0, 1, _count_ids(embeddings.input))
    chat = _converted(body, ChatBody, place)
    if chat.max_tokens is not None and chat.max_completion_tokens is not None:
        raise InvalidRequest(
            "give max_completion_tokens or max_tokens, not both", param=_at(place, "max_tokens")
        )
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


def _at(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _refuse_unpriced(body: dict[str, Any], place: str) -> None:
    named = next((field for field in UNPRICED if body.get(field) is not None), None)
    if named is None and body.get("service_tier") not in STANDARD_TIERS:
        named = "service_tier"
    if named is not None:
        raise InvalidRequest(
            f"{named} changes what the answer costs and is not supported",
            code="unsupported_parameter",
            param=_at(place, named),
        )


def _count_ids(value: Any) -> int:
    """Token ids in an embeddings input: a list of them, or a list of such lists."""
    if isinstance(value, list):
        return sum(1 if isinstance(one, int) else _count_ids(one) for one in value)
    return 0


def _converted(value: Any, shape: type[T], place: str) -> T:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        param = (place + path.rstrip("`")).lstrip(".") or None
        raise InvalidRequest(message, param=param) from error
