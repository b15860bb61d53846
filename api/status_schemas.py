"""What the routes of the status page and of the breakers answer, as JSON Schema."""

from typing import Any

from api.schemas import (
    INTEGER,
    NUMBER,
    POSITION,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    TIME_OR_NULL,
    Schema,
    list_of,
    reference,
)

_SHARE: Schema = {"type": ["number", "null"], "description": "Of one; null where nothing is known"}
_MS: Schema = {"type": ["integer", "null"], "description": "Milliseconds"}


def _all(properties: dict[str, Any]) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _many(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_PROVIDER: Schema = {
    "id": TEXT,
    "object": {"const": "provider_status"},
    "status": {"enum": ["online", "degraded", "offline", "unknown"]},
    "uptime": _SHARE,
    "p50_ms": _MS,
    "p95_ms": _MS,
    "first_token_p50_ms": _MS,
}
_AT: Schema = {"updated_at": TIME, "as_of": POSITION}
_HOUR = _all({"starts_at": TIME, "uptime": _SHARE, "p50_ms": _MS, "p95_ms": _MS})
STATUS_SCHEMAS: dict[str, Schema] = {
    "Incident": _all(
        {
            "id": TEXT,
            "object": {"const": "incident"},
            "provider": TEXT,
            "model": TEXT_OR_NULL,
            "severity": {"enum": ["outage", "degraded"]},
            "opened_at": NUMBER,
            "resolved_at": TIME_OR_NULL,
        }
    ),
    "Status": _all(
        {
            "object": {"const": "status"},
            "status": {"enum": ["operational", "degraded", "outage", "unknown"]},
            "providers": _many(_all(_PROVIDER)),
            "incidents": _many(reference("Incident")),
            **_AT,
        }
    ),
    "ProviderStatus": _all(
        {
            **_PROVIDER,
            "hours": _many(_HOUR),
            "incidents": _many(reference("Incident")),
            **_AT,
        }
    ),
    "Breaker": _all(
        {
            "id": TEXT,
            "object": {"const": "breaker"},
            "provider": TEXT,
            "native_id": TEXT_OR_NULL,
            "state": {"enum": ["closed", "open", "half_open"]},
            "reason": TEXT_OR_NULL,
            "openings": INTEGER,
            "opened_at": TIME_OR_NULL,
            "retry_at": TIME_OR_NULL,
        }
    ),
    "BreakerList": list_of("Breaker"),
}
