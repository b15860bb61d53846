"""The part of the OpenAPI document that FastAPI does not know: hot routes, replies and refusals."""

from collections.abc import Iterator
from typing import Any

import msgspec
from fastapi.routing import APIRoute

from api.catalogue_schemas import CATALOGUE_REFUSALS, CATALOGUE_REPLIES, CATALOGUE_SCHEMAS
from api.inference_document import BODIES, inference_paths, inference_schemas
from api.job_requests import JobRequest
from api.model_schemas import MODEL_SCHEMAS
from api.response_schemas import RESPONSE_SCHEMAS
from api.schemas import DOCUMENT, REF, SCHEMAS, SERVER_SENT_EVENT, TEXT, reference
from api.status_schemas import STATUS_SCHEMAS
from api.token_counts import count_paths, count_schemas

# Which object a route answers with, by its operation id.
REPLIES = {
    "get_health": "Health",
    "get_ready": "Readiness",
    "list_models": "ModelList",
    "get_model": "Model",
    "list_jobs": "JobList",
    "cancel": "Job",
    "get_response": "Response",
    "cancel_response": "Response",
    "delete_response": "Deleted",
    "list_input_items": "ResponseItemList",
    "get_events": "JobEventList",
    "get_own_account": "OwnAccount",
    "list_keys": "KeyList",
    "create_key": "KeyWithSecret",
    "get_key": "Key",
    "update_key": "Key",
    "rotate_key": "KeyWithSecret",
    "revoke_key": "Key",
    "delete_key": "Key",
    "list_provider_keys": "ProviderKeyList",
    "create_provider_key": "ProviderKey",
    "get_provider_key": "ProviderKey",
    "delete_provider_key": "Deleted",
    "get_balance": "Balance",
    "list_ledger": "LedgerEntryList",
    "list_charges": "ChargeList",
    "get_charge": "Charge",
    "create_account": "AccountWithSecret",
    "list_accounts": "AccountList",
    "get_account": "AccountWithBalance",
    "grant_credit": "LedgerEntry",
    "list_dead_letters": "DeadLetterList",
    "redrive": "DeadLetter",
    "list_providers": "ProviderList",
    "list_offers": "OfferList",
    "list_projections": "ProjectionList",
    "get_status": "Status",
    "get_provider_status": "ProviderStatus",
    "list_breakers": "BreakerList",
    "reset_breaker": "Breaker",
    **CATALOGUE_REPLIES,
}
# Refusals that do not follow from the form of a route.
REFUSALS = {
    "submit_job": ("402", "404", "422"),
    "get_result": ("409", "410"),
    "cancel": ("409",),
    "cancel_response": ("400", "410"),
    "delete_response": ("409",),
    "get_response": ("410",),
    "list_input_items": ("410",),
    "update_key": ("409",),
    "rotate_key": ("409",),
    "redrive": ("409",),
    "reset_breaker": ("409",),
    "get_status": ("503",),
    "get_provider_status": ("503",),
    "create_endpoint": ("409",),
    "ping_endpoint": ("409",),
    "replay_endpoint": ("409",),
    "redeliver": ("409",),
    "get_default_secret": ("404", "410"),
    **CATALOGUE_REFUSALS,
}
# Every key may ask these.
FOR_EVERY_KEY = {"get_own_account", "list_models", "get_model"}
# These are answered from memory.
WITHOUT_STORE = {
    *FOR_EVERY_KEY,
    "list_keys",
    "get_key",
    "list_provider_keys",
    "get_provider_key",
    "list_accounts",
    "list_providers",
    "list_offers",
}
# Unknown query parameters of these are refused.
STRICT_TAGS = {"Keys and account", "Billing", "Admin"}


def operation_id(route: APIRoute) -> str:
    """The name of the route's function: it stays when a path or a version changes."""
    return route.name


def add_hot_routes(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the hot routes, and with what each route answers and refuses."""
    _add_schemas(document.setdefault("components", {}).setdefault("schemas", {}))
    paths = document["paths"]
    paths.setdefault("/v1/jobs", {})["post"] = _submit()
    paths.setdefault("/v1/jobs/{job_id}", {})["get"] = _get()
    for path, operations in paths.items():
        for operation in operations.values():
            _describe(path, operation)
    for endpoint, operation in (inference_paths() | count_paths()).items():
        paths.setdefault(endpoint, {})["post"] = operation
    return document


def _add_schemas(components: dict[str, Any]) -> None:
    _, schemas = msgspec.json.schema_components([JobRequest], ref_template=REF + "{name}")
    schemas["JobRequest"]["properties"]["body"] = {
        "anyOf": [reference(body.__name__) for body in BODIES.values()]
    }
    components |= (
        schemas
        | inference_schemas()
        | count_schemas()
        | SCHEMAS
        | STATUS_SCHEMAS
        | CATALOGUE_SCHEMAS
        | MODEL_SCHEMAS
        | RESPONSE_SCHEMAS
    )
    components.pop("HTTPValidationError", None)
    components.pop("ValidationError", None)


def _describe(path: str, operation: dict[str, Any]) -> None:
    name, responses = operation["operationId"], operation["responses"]
    responses.pop("422", None)  # of FastAPI's own; ours is 400
    if name in REPLIES:
        for response in responses.values():
            response["content"] = _content(REPLIES[name])
    for status in sorted({*_refusals(path, operation), *REFUSALS.get(name, ())}):
        responses[status] = _reply("Refused", "Error")
    match name:
        case "get_events" | "get_response":
            responses["200"]["content"]["text/event-stream"] = {"schema": SERVER_SENT_EVENT}
        case "get_result":
            responses["default"] = _reply("The failure of the job, with its own status", "Error")
        case "get_ready":
            responses["503"] = _reply("Not ready", REPLIES[name])
        case "get_metrics":
            responses["200"]["content"] = {"text/plain": {"schema": TEXT}}
        case "get_asyncapi":
            responses["200"]["content"]["application/json"]["schema"] = DOCUMENT


def _refusals(path: str, operation: dict[str, Any]) -> Iterator[str]:
    """The statuses that follow from what the route takes and asks for."""
    taken = operation.get("parameters", [])
    has_body = "requestBody" in operation
    is_strict = not STRICT_TAGS.isdisjoint(operation["tags"])
    if has_body or is_strict or any(one["in"] in {"query", "header"} for one in taken):
        yield "400"
    if "security" in operation:
        yield "401"
        if operation["operationId"] not in FOR_EVERY_KEY:
            yield "403"
        if operation["operationId"] not in WITHOUT_STORE:
            yield "503"
    if "{" in path:
        yield "404"
    if has_body:
        yield "413"
    if any(one["name"] == "Idempotency-Key" for one in taken):
        yield "422"


def _submit() -> dict[str, Any]:
    return {
        "tags": ["Jobs"],
        "operationId": "submit_job",
        "summary": "Submit a job",
        "description": "202 once the job and its hold are durable.",
        "parameters": [_header("Idempotency-Key", "The same key and input: the same job.")],
        "requestBody": {"required": True, "content": _content("JobRequest")},
        "responses": {"202": _reply("The job, accepted", "Job")},
        "security": [{"HTTPBearer": []}, {"APIKeyHeader": []}],
    }


def _get() -> dict[str, Any]:
    wait = {"name": "wait", "in": "query", "schema": {"type": "number", "minimum": 0}}
    job_id = {"name": "job_id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "tags": ["Jobs"],
        "operationId": "get_job",
        "summary": "Get a job",
        "description": "With `wait` or `Prefer: wait=n` it answers when the job has ended.",
        "parameters": [job_id, wait, _header("Prefer", "`wait=n`: seconds to wait.")],
        "responses": {"200": _reply("The job", "Job")},
        "security": [{"HTTPBearer": []}, {"APIKeyHeader": []}],
    }


def _header(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "description": description,
        "schema": {"type": "string"},
    }


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": reference(schema)}}


def _reply(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": _content(schema)}
