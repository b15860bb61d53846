"""The bodies of the inference endpoints: what admission needs of each, checked."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Annotated, Any

import msgspec

from api.job_requests import Metadata, converted
from domain.dialects.canonical import Untranslatable
from domain.dialects.completions import DEFAULT_MAX_TOKENS
from domain.dialects.messages.betas import FIELD, MAX_BETAS, betas_of, require_priced
from domain.dialects.responses.words import unsupported
from domain.dialects.surfaces import SURFACES
from domain.errors import InvalidRequest
from domain.inference.events import Endpoint

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
Name = Annotated[str, msgspec.Meta(min_length=1)]
Filled = msgspec.Meta(min_length=1)

# Fields that make some providers use another model, tool or tier: what they cost is not in the
# price that is quoted at admission, so a request with one is refused instead of undercharged.
UNPRICED = frozenset(
    {
        "container",
        "mcp_servers",
        "audio",
        "best_of",
        "compound_custom",
        "enable_search",
        "inference_geo",
        "plugins",
        "prediction",
        "preset",
        "search_parameters",
        "web_search_options",
    }
)
STANDARD_TIERS = (None, "auto", "default", "standard_only")
# Pictures and sound cost a multiple of text, and no usage tells how much of an answer they were.
TEXT_ALONE = (None, ["text"])


class Wanted(msgspec.Struct, frozen=True):
    """What a body asks for.

    `max_output_tokens` is for one choice, None for the model's limit; `token_ids` counts the
    input that came as token ids.
    """

    model: str
    max_output_tokens: int | None
    choices: int = 1
    token_ids: int = 0


class ChatMessage(msgspec.Struct):
    """The part of a message that is checked; the rest passes through untouched."""

    role: Name
    content: str | list[Any] | None = None


class ChatBody(msgspec.Struct):
    """The part of a chat completion body that admission needs."""

    model: Name
    messages: Annotated[list[ChatMessage], Filled]
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    stream: bool | None = None


class MessagesBody(msgspec.Struct):
    """The part of an Anthropic messages body that admission needs."""

    model: Name
    messages: Annotated[list[ChatMessage], Filled]
    max_tokens: Positive
    stream: bool | None = None
    speed: str | None = None
    anthropic_beta: Annotated[list[str], msgspec.Meta(max_length=MAX_BETAS)] | None = None


class EmbeddingsBody(msgspec.Struct):
    """The part of an embeddings body that admission needs."""

    model: Name
    input: str | list[Any]


class ResponsesBody(msgspec.Struct):
    """The part of a responses body that admission needs."""

    model: Name
    input: str | list[Any]
    max_output_tokens: Positive | None = None
    metadata: Metadata | None = None
    previous_response_id: str | None = None
    background: bool | None = None
    store: bool | None = None
    stream: bool | None = None


class CompletionsBody(msgspec.Struct):
    """The part of an old completion's body that admission needs."""

    model: Name
    prompt: str | list[Any]
    max_tokens: Positive | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    stream: bool | None = None


def read_body(endpoint: Endpoint, body: dict[str, Any], place: str = "") -> Wanted:
    """What admission needs from the endpoint's body, which stands at `place` in the request.

    Raises `InvalidRequest`.
    """
    reader = _READERS.get(endpoint)
    if reader is None:
        raise InvalidRequest(f"{endpoint} is not served yet", param="endpoint")
    _refuse_unpriced(body, place)
    return reader(body, place)


def _chat(body: dict[str, Any], place: str) -> Wanted:
    chat = converted(body, ChatBody, place)
    if chat.max_tokens is not None and chat.max_completion_tokens is not None:
        raise InvalidRequest(
            "give max_completion_tokens or max_tokens, not both", param=_at(place, "max_tokens")
        )
    _refuse_hosted_tools(body, place, (None, "function", "custom"))
    return Wanted(chat.model, chat.max_completion_tokens or chat.max_tokens, chat.n or 1)


def _messages(body: dict[str, Any], place: str) -> Wanted:
    messages = converted(body, MessagesBody, place)
    if messages.speed not in (None, "standard"):
        raise _unpriced("speed", place)
    require_priced(betas_of(body), _at(place, FIELD))
    _refuse_hosted_tools(body, place, (None, "custom"))
    _check_meaning("/v1/messages", body)
    return Wanted(messages.model, messages.max_tokens)


def _responses(body: dict[str, Any], place: str) -> Wanted:
    response = converted(body, ResponsesBody, place)
    if place and response.previous_response_id is not None:
        raise unsupported(_at(place, "previous_response_id"), "a job stands for itself")
    _check_meaning("/v1/responses", body)
    return Wanted(response.model, response.max_output_tokens)


def _completions(body: dict[str, Any], place: str) -> Wanted:
    completion = converted(body, CompletionsBody, place)
    _check_meaning("/v1/completions", body)
    return Wanted(completion.model, completion.max_tokens or DEFAULT_MAX_TOKENS, completion.n or 1)


def metadata_of(endpoint: Endpoint, body: Mapping[str, Any]) -> dict[str, str]:
    """The metadata of a request that is its job's too. Raises `InvalidRequest`."""
    if endpoint != "/v1/responses" or body.get("metadata") is None:
        return {}
    return converted(body["metadata"], Metadata, "metadata")


def _embeddings(body: dict[str, Any], place: str) -> Wanted:
    embeddings = converted(body, EmbeddingsBody, place)
    if not embeddings.input:
        raise InvalidRequest("the input is empty", param=_at(place, "input"))
    return Wanted(embeddings.model, 0, 1, _count_ids(embeddings.input))


def _check_meaning(endpoint: Endpoint, body: Mapping[str, Any]) -> None:
    """Raises `InvalidRequest` for what makes no sense; what only some offers take may pass."""
    with suppress(Untranslatable):
        SURFACES[endpoint].read(body)


_READERS: Mapping[Endpoint, Callable[[dict[str, Any], str], Wanted]] = {
    "/v1/chat/completions": _chat,
    "/v1/messages": _messages,
    "/v1/embeddings": _embeddings,
    "/v1/responses": _responses,
    "/v1/completions": _completions,
}


def _refuse_unpriced(body: Mapping[str, Any], place: str) -> None:
    named = None
    if not UNPRICED.isdisjoint(body):
        named = min((field for field in UNPRICED if body.get(field) is not None), default=None)
    if named is None and body.get("service_tier") not in STANDARD_TIERS:
        named = "service_tier"
    if named is None and body.get("modalities") not in TEXT_ALONE:
        named = "modalities"
    if named is not None:
        raise _unpriced(named, place)


def _refuse_hosted_tools(body: Mapping[str, Any], place: str, own: tuple[str | None, ...]) -> None:
    """Raises `InvalidRequest` for tools that the provider runs, and bills by the use."""
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict) and tool.get("type") not in own:
            raise _unpriced("tools", place)


def _unpriced(name: str, place: str) -> InvalidRequest:
    return InvalidRequest(
        f"{name} changes what the answer costs and is not supported",
        code="unsupported_parameter",
        param=_at(place, name),
    )


def _at(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _count_ids(value: Any) -> int:
    """Token ids in an embeddings input: a list of them, or a list of such lists."""
    if isinstance(value, list):
        return sum(1 if isinstance(one, int) else _count_ids(one) for one in value)
    return 0
