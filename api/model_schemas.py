"""Models and their offers, as JSON Schema."""

from api.schemas import FLAG, INTEGER, TEXT, TEXT_OR_NULL, USD, Schema, reference

INTEGER_OR_NULL: Schema = {"type": ["integer", "null"]}
TEXTS: Schema = {"type": "array", "items": TEXT}
BY_TOKEN = (
    *("input", "output", "cache_read", "cache_write", "cache_write_1h", "input_audio"),
    *("reasoning", "output_audio", "input_image", "output_image", "batch_input", "batch_output"),
)
PRICES = {f"{name}_usd_per_million": USD for name in BY_TOKEN}


def _object(required: Schema, optional: Schema) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
    }


def _many(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_TERMS: Schema = {
    "provider": TEXT,
    "native_id": TEXT,
    "context_length": INTEGER_OR_NULL,
    "max_output_tokens": INTEGER_OR_NULL,
    "capabilities": TEXTS,
    "source": TEXT,
}
_FURTHER_TERMS: Schema = {
    **PRICES,
    "request_usd": USD,
    "search_usd": USD,
    "tiers": _many(_object({"above_input_tokens": INTEGER}, PRICES)),
    "per_unit": _many(_object({"unit": TEXT, "usd": USD}, {})),
    "deprecated": FLAG,
    "as_of": TEXT,
    "disputed": _many(_object({"source": TEXT}, PRICES)),
    "available": FLAG,
    "own_key": TEXT,
    "own_key_fallback": FLAG,
}
_MODEL: Schema = {
    "id": TEXT,
    "object": {"const": "model"},
    "created": INTEGER,
    "owned_by": TEXT,
    "kind": TEXT,
    "context_length": INTEGER_OR_NULL,
    "max_output_tokens": INTEGER_OR_NULL,
    "modalities": _object({"input": TEXTS, "output": TEXTS}, {}),
    "capabilities": TEXTS,
}
_UNIQUE: Schema = {
    "offers": _many(reference("ModelOffer")),
    "providers": TEXTS,
    "provider_count": INTEGER,
    "cheapest": TEXT_OR_NULL,
}
MODEL_SCHEMAS: dict[str, Schema] = {
    "ModelOffer": _object(_TERMS, _FURTHER_TERMS),
    "Offer": _object(
        {"id": TEXT, "object": {"const": "offer"}, "model": TEXT, "priced": FLAG, **_TERMS},
        {**_FURTHER_TERMS, "unsold_because": TEXT},
    ),
    "Model": _object({**_MODEL, **_UNIQUE}, {}),
    "HostedModel": _object({**_MODEL, "model": TEXT, **_TERMS}, _FURTHER_TERMS),
    "ModelList": _object(
        {
            "object": {"const": "list"},
            "data": _many({"anyOf": [reference("Model"), reference("HostedModel")]}),
        },
        {"first_id": TEXT_OR_NULL, "last_id": TEXT_OR_NULL, "has_more": FLAG},
    ),
}
