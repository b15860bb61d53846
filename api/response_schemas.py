"""What the routes of kept responses answer, as JSON Schema; the rest is OpenAI's to describe."""

from typing import Any

from api.schemas import INTEGER, NUMBER, TEXT, TEXT_OR_NULL, Schema

_ITEM: Schema = {"type": "object", "required": ["id", "type"]}
_USAGE = ("input_tokens", "output_tokens", "total_tokens")


def _known(properties: dict[str, Any]) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


RESPONSE_SCHEMAS: dict[str, Schema] = {
    "Response": _known(
        {
            "id": TEXT,
            "object": {"const": "response"},
            "created_at": NUMBER,
            "status": {
                "enum": ["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
            },
            "model": TEXT,
            "output": {"type": "array", "items": _ITEM},
            "error": {
                "anyOf": [{"type": "null"}, _known({"code": TEXT, "message": TEXT})],
            },
            "usage": {
                "anyOf": [{"type": "null"}, _known(dict.fromkeys(_USAGE, INTEGER))],
            },
        }
    ),
    "ResponseItemList": _known(
        {
            "object": {"const": "list"},
            "data": {"type": "array", "items": _ITEM},
            "first_id": TEXT_OR_NULL,
            "last_id": TEXT_OR_NULL,
            "has_more": {"type": "boolean"},
        }
    ),
}
