"""What the routes answer, as JSON Schema: the objects, and which route answers with which."""

from typing import Any

from domain.inference.events import DISCONNECT_POLICIES

Schema = dict[str, Any]
REF = "#/components/schemas/"

TEXT: Schema = {"type": "string"}
# Of another standard, which says what is in it.
DOCUMENT = {"type": "object"}
# One server-sent event; what its data is, the clients of each stream know.
SERVER_SENT_EVENT: Schema = {
    "type": "object",
    "properties": {"id": TEXT, "event": TEXT, "data": TEXT},
}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": "number", "description": "Unix seconds"}
TIME_OR_NULL: Schema = {"type": ["number", "null"], "description": "Unix seconds"}
USD: Schema = {"type": "string", "description": "A decimal figure in USD"}
USD_OR_NULL: Schema = {"type": ["string", "null"], "description": "A decimal figure in USD"}
POSITION: Schema = {"type": "string", "description": "A position of the log"}


def reference(name: str) -> Schema:
    """A reference to the schema of this name."""
    return {"$ref": REF + name}


def _one_of(*values: str) -> Schema:
    return {"enum": list(values)}


def _many(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _object(properties: Schema, **optional: Schema) -> Schema:
    """An object that has all of `properties` and may have the optional ones."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": {**properties, **optional},
    }


def list_of(name: str) -> Schema:
    """A page of a list of what has this name."""
    shape = {
        "object": {"const": "list"},
        "data": _many(reference(name)),
        "first_id": TEXT_OR_NULL,
        "last_id": TEXT_OR_NULL,
        "has_more": FLAG,
    }
    return _object(shape, as_of=POSITION)


_USAGE = _object(
    {
        "input_tokens": INTEGER,
        "output_tokens": INTEGER,
        "total_tokens": INTEGER,
        "input_tokens_details": {"type": "object"},
        "output_tokens_details": {"type": "object"},
        "source": TEXT,
    }
)
_ATTEMPT = _object(
    {
        "provider": TEXT,
        "native_id": TEXT,
        "started_at": TIME,
        "duration_ms": INTEGER,
        "outcome": TEXT,
        "status_code": {"type": ["integer", "null"]},
    },
    own_key=TEXT,
)
_LINE = _object(
    {
        "dimension": TEXT,
        "quantity": INTEGER,
        "unit_price_usd_per_million": USD_OR_NULL,
        "amount_usd": USD,
    }
)
_ACCOUNT: Schema = {
    "id": TEXT,
    "object": {"const": "account"},
    "name": TEXT,
    "created_at": TIME,
}

OBJECTS: dict[str, Schema] = {
    "Error": _object(
        {
            "error": _object(
                {
                    "type": TEXT,
                    "code": TEXT,
                    "message": TEXT,
                    "param": TEXT_OR_NULL,
                    "request_id": TEXT,
                }
            )
        }
    ),
    "Job": _object(
        {
            "id": TEXT,
            "object": {"const": "job"},
            "status": _one_of("queued", "running", "succeeded", "failed", "cancelled", "expired"),
            "endpoint": TEXT,
            "model": TEXT,
            "lane": _one_of("interactive", "standard", "batch"),
            "created_at": TIME,
            "started_at": TIME_OR_NULL,
            "finished_at": TIME_OR_NULL,
            "deadline_at": TIME_OR_NULL,
            "attempts": INTEGER,
            "provider": TEXT_OR_NULL,
            "usage": {"anyOf": [_USAGE, {"type": "null"}]},
            "cost_usd": USD_OR_NULL,
            "result_url": TEXT_OR_NULL,
            "error": {"type": ["object", "null"]},
            "metadata": {"type": "object", "additionalProperties": TEXT},
            "webhook": {"type": ["object", "null"]},
        },
        cancel_requested_at=TIME,
        content_deleted_at=TIME,
    ),
    "JobEvent": _object(
        {
            "id": TEXT,
            "type": TEXT,
            "version": INTEGER,
            "position": POSITION,
            "created_at": TIME,
            "data": {"type": "object"},
        }
    ),
    "Key": _object(
        {
            "id": TEXT,
            "object": {"const": "key"},
            "name": TEXT,
            "environment": TEXT,
            "prefix": TEXT,
            "last4": TEXT,
            "scopes": _many(TEXT),
            "status": _one_of("active", "revoked"),
            "created_at": TIME,
            "expires_at": TIME_OR_NULL,
            "revoked_at": TIME_OR_NULL,
            "on_disconnect": _one_of(*DISCONNECT_POLICIES),
        }
    ),
    "KeyWithSecret": _object({"key": reference("Key"), "api_key": TEXT_OR_NULL}),
    "ProviderKey": _object(
        {
            "id": TEXT,
            "object": {"const": "provider_key"},
            "provider": TEXT,
            "last4": TEXT,
            "fallback": FLAG,
            "created_at": TIME,
        }
    ),
    "Deleted": _object({"id": TEXT, "object": TEXT, "deleted": {"const": True}}),
    "Account": _object(_ACCOUNT),
    "OwnAccount": _object({**_ACCOUNT, "key": reference("Key")}),
    "AccountWithBalance": _object({**_ACCOUNT, "balance": reference("Balance")}),
    "AccountWithSecret": _object({"account": reference("Account"), "api_key": TEXT_OR_NULL}),
    "Balance": _object(
        {
            "object": {"const": "balance"},
            "currency": {"const": "USD"},
            "total_usd": USD,
            "available_usd": USD,
            "held_usd": USD,
            "allowance_usd": USD,
            "purchased_usd": USD,
            "as_of": POSITION,
        }
    ),
    "LedgerEntry": _object(
        {
            "id": TEXT,
            "object": {"const": "ledger_entry"},
            "created_at": TIME,
            "type": _one_of("charge", "purchase", "grant", "refund", "adjustment", "expiry"),
            "account": TEXT,
            "amount_usd": USD,
            "job_id": TEXT_OR_NULL,
            "charge_id": TEXT_OR_NULL,
            "description": TEXT,
            "position": POSITION,
        }
    ),
    "Charge": _object(
        {
            "id": TEXT,
            "object": {"const": "charge"},
            "job_id": TEXT,
            "created_at": TIME,
            "amount_usd": USD,
            "model": TEXT,
            "provider": TEXT,
            "usage": _USAGE,
            "usage_source": _one_of("provider", "tokenizer", "estimate"),
            "price_version": TEXT,
            "lines": _many(_LINE),
            "attempts": _many(_ATTEMPT),
            "ledger": _many(reference("LedgerEntry")),
        }
    ),
    "Provider": _object(
        {
            "id": TEXT,
            "object": {"const": "provider"},
            "protocol": TEXT,
            "base_url": TEXT_OR_NULL,
            "enabled": FLAG,
            "disabled_because": TEXT_OR_NULL,
        }
    ),
    "DeadLetter": _object(
        {
            "id": TEXT,
            "object": {"const": "dead_letter"},
            "consumer": TEXT,
            "position": POSITION,
            "event_name": TEXT,
            "error": TEXT,
            "at": TIME,
        },
        redriven=FLAG,
    ),
    "Projection": _object(
        {
            "id": TEXT,
            "object": {"const": "projection"},
            "name": TEXT,
            "version": INTEGER,
            "state": TEXT,
            "position": POSITION,
            "lag": INTEGER,
            "error": TEXT_OR_NULL,
        }
    ),
    "Health": _object(
        {
            "status": _one_of("ok", "degraded"),
            "version": TEXT,
            "time": TIME,
            "components": {"type": "object", "additionalProperties": TEXT},
        }
    ),
    "Readiness": _object({"ready": FLAG, "checks": {"type": "object"}}),
}
LISTED = (
    *("Job", "JobEvent", "Key", "ProviderKey", "Account", "LedgerEntry", "Charge"),
    *("Offer", "Provider", "DeadLetter", "Projection"),
)
SCHEMAS: dict[str, Schema] = {**OBJECTS, **{f"{name}List": list_of(name) for name in LISTED}}
