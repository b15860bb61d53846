"""Counting the input of a request that is not sent: on this node, and at no cost."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

import msgspec

from api.job_requests import converted
from api.ports import ApiPorts
from api.schemas import REF, Schema, reference
from api.wire_errors import is_anthropic
from domain.dialects.canonical import Untranslatable
from domain.dialects.surfaces import SURFACES
from domain.inference.events import Endpoint
from domain.ports.tokens import TokenCount
from domain.rating.counting import counted_input
from domain.routing.routers import router_mode

MESSAGES_PATH = "/v1/messages/count_tokens"
RESPONSES_PATH = "/v1/responses/input_tokens"
SOURCE_HEADER = "x-gatewayz-token-source"
# Whoever is chosen for the prompt is not known before it is sent.
_ANY_MODEL = ""
_NUMBER: Schema = {"type": "integer", "minimum": 0}
Name = Annotated[str, msgspec.Meta(min_length=1)]


class MessagesToCount(msgspec.Struct):
    """The part of a body for `/v1/messages/count_tokens` that is checked."""

    model: Name
    messages: Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1)]


class ResponsesToCount(msgspec.Struct):
    """The part of a body for `/v1/responses/input_tokens` that is checked."""

    model: Name
    input: str | list[Any] | None = None


_SHAPES: Mapping[Endpoint, type[MessagesToCount] | type[ResponsesToCount]] = {
    "/v1/messages": MessagesToCount,
    "/v1/responses": ResponsesToCount,
}


async def count_asked(
    ports: ApiPorts, account_id: str, endpoint: Endpoint, body: dict[str, Any]
) -> TokenCount:
    """The input tokens of the account's request to `endpoint`.

    Raises `NotFound` for an unknown model and `InvalidRequest` for what makes no sense.
    """
    model = converted(body, _SHAPES[endpoint], "").model
    if router_mode(model) is None:
        own = frozenset(ports.provider_keys.of_account(account_id))
        model = ports.catalogue.resolve(model, endpoint, own).model.id
    else:
        model = _ANY_MODEL
    with suppress(Untranslatable):
        SURFACES[endpoint].read({"input": [], **body, "max_tokens": 1})
    return await counted_input(ports.tokens, model, body)


def count_schemas() -> dict[str, Schema]:
    """The schemas of bodies and answers, by name."""
    _, schemas = msgspec.json.schema_components(_SHAPES.values(), ref_template=REF + "{name}")
    told = {"object": {"const": "response.input_tokens"}}
    return {**schemas, "MessageTokens": _answer({}), "ResponseTokens": _answer(told)}


def count_paths() -> dict[str, dict[str, Any]]:
    """The operations, for the OpenAPI document."""
    return {
        MESSAGES_PATH: _operation("message", MESSAGES_PATH, "MessagesToCount", "MessageTokens"),
        RESPONSES_PATH: _operation(
            "response", RESPONSES_PATH, "ResponsesToCount", "ResponseTokens"
        ),
    }


def _answer(told: Schema) -> Schema:
    fields = {"input_tokens": _NUMBER, **told}
    return {"type": "object", "required": list(fields), "properties": fields}


def _operation(kind: str, path: str, body: str, answer: str) -> dict[str, Any]:
    error = _content(reference("AnthropicError" if is_anthropic(path) else "Error"))
    told = _content(reference(answer))
    header = {SOURCE_HEADER: {"schema": {"enum": ["tokenizer", "estimate"]}}}
    refusals = ("400", "401", "403", "404", "413", "503")
    return {
        "tags": ["Inference"],
        "operationId": f"count_{kind}_tokens",
        "summary": "The input tokens of a request that is not sent",
        "description": "Counted here: by the model's own tokeniser where it is installed, else "
        f"as likely as can be; `{SOURCE_HEADER}` says which. It costs nothing.",
        "requestBody": {"required": True, "content": _content(reference(body))},
        "responses": {
            "200": {"description": "The count", "headers": header, "content": told},
            **{status: {"description": "Refused", "content": error} for status in refusals},
        },
        "security": [{"HTTPBearer": []}, {"APIKeyHeader": []}],
    }


def _content(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
