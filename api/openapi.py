"""The part of the OpenAPI document that FastAPI does not know: hot routes and error replies."""

from typing import Any

import msgspec

from api.job_requests import ChatBody, EmbeddingsBody, JobRequest

ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "code", "message", "param", "request_id"],
            "properties": {
                "type": {"type": "string"},
                "code": {"type": "string"},
                "message": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "request_id": {"type": "string"},
            },
        }
    },
}
JOB_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id", "object", "status", "endpoint", "model", "created_at"],
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "job"},
        "status": {
            "enum": ["queued", "running", "succeeded", "failed", "cancelled", "expired"],
        },
        "endpoint": {"type": "string"},
        "model": {"type": "string"},
        "created_at": {"type": "number"},
        "cost_usd": {"type": ["string", "null"]},
    },
}
REF = "#/components/schemas/"
STATUSES = ("400", "401", "402", "403", "404", "409", "413", "422", "503")


def add_hot_routes(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the hot routes and the documented error shape on every route."""
    (_, chat, embeddings), schemas = msgspec.json.schema_components(
        [JobRequest, ChatBody, EmbeddingsBody], ref_template=REF + "{name}"
    )
    schemas["JobRequest"]["properties"]["body"] = {"anyOf": [chat, embeddings]}
    components = document.setdefault("components", {}).setdefault("schemas", {})
    components |= schemas | {"Error": ERROR_SCHEMA, "Job": JOB_SCHEMA}
    components.pop("HTTPValidationError", None)
    components.pop("ValidationError", None)
    paths = document["paths"]
    paths.setdefault("/v1/jobs", {})["post"] = _submit()
    paths.setdefault("/v1/jobs/{job_id}", {})["get"] = _get()
    for path in paths.values():
        for operation in path.values():
            for status in STATUSES:
                operation["responses"][status] = _reply("Refused", "Error")
    return document


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
    return {"application/json": {"schema": {"$ref": REF + schema}}}


def _reply(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": _content(schema)}
