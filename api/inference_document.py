"""The part of the OpenAPI document that describes the inference endpoints.

Requests and answers are those of OpenAI's and Anthropic's own documents; what is said here is what
admission checks, and how a refusal looks.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from api.inference_bodies import (
    ChatBody,
    CompletionsBody,
    EmbeddingsBody,
    MessagesBody,
    ResponsesBody,
)
from api.schemas import (
    DOCUMENT,
    REF,
    SERVER_SENT_EVENT,
    TEXT,
    TEXT_OR_NULL,
    Schema,
    reference,
)
from api.wire_errors import is_anthropic
from domain.dialects.messages.betas import HEADER
from domain.inference.events import Endpoint

BODIES: Mapping[Endpoint, type[msgspec.Struct]] = {
    "/v1/chat/completions": ChatBody,
    "/v1/responses": ResponsesBody,
    "/v1/messages": MessagesBody,
    "/v1/completions": CompletionsBody,
    "/v1/embeddings": EmbeddingsBody,
}
_NAMES: Mapping[Endpoint, tuple[str, str]] = {
    "/v1/chat/completions": ("create_chat_completion", "Chat completions, for OpenAI's clients"),
    "/v1/responses": ("create_response", "Responses, for OpenAI's clients"),
    "/v1/messages": ("create_message", "Messages, for Anthropic's clients"),
    "/v1/completions": ("create_completion", "Completions, for OpenAI's clients"),
    "/v1/embeddings": ("create_embeddings", "Embeddings, for OpenAI's clients"),
}
_DESCRIPTION = (
    "Runs at once and answers whole, or with `stream` as server-sent events. The hold is durable "
    "before a provider is called, and the charge before the last byte is sent."
)
REFUSALS = ("400", "401", "402", "403", "404", "409", "413", "422", "429", "502", "503", "504")
ANTHROPIC_ERROR: Schema = {
    "type": "object",
    "required": ["type", "error", "request_id"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": TEXT, "code": TEXT, "message": TEXT, "param": TEXT_OR_NULL},
        },
        "request_id": TEXT,
    },
}


def inference_schemas() -> dict[str, Schema]:
    """The schemas of the bodies, by name; fields that are not checked may be there too."""
    _, schemas = msgspec.json.schema_components(BODIES.values(), ref_template=REF + "{name}")
    return {**schemas, "AnthropicError": ANTHROPIC_ERROR}


def inference_paths() -> dict[Endpoint, dict[str, Any]]:
    """The operation at each endpoint."""
    return {endpoint: _operation(endpoint) for endpoint in BODIES}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    name, summary = _NAMES[endpoint]
    error = reference("AnthropicError" if is_anthropic(endpoint) else "Error")
    refused = {"description": "Refused", "content": {"application/json": {"schema": error}}}
    answers: dict[str, Any] = {"application/json": {"schema": DOCUMENT}}
    if endpoint != "/v1/embeddings":
        answers["text/event-stream"] = {"schema": SERVER_SENT_EVENT}
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and input: the same answer.",
        "schema": TEXT,
    }
    betas = {
        "name": HEADER,
        "in": "header",
        "description": "Features asked for by name, comma separated; those that bring what has no "
        "price are refused, those that the host does not take are named in the reply.",
        "schema": TEXT,
    }
    body = {"application/json": {"schema": reference(BODIES[endpoint].__name__)}}
    return {
        "tags": ["Inference"],
        "operationId": name,
        "summary": summary,
        "description": _DESCRIPTION,
        "parameters": [key, betas] if is_anthropic(endpoint) else [key],
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": {"description": "The answer", "content": answers},
            **dict.fromkeys(REFUSALS, refused),
        },
        "security": [{"HTTPBearer": []}, {"APIKeyHeader": []}],
    }
