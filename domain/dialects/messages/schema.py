"""JSON schemas as Anthropic takes them for an answer.

Bounds of numbers, lengths and patterns are not known there: they are told in the description, and
the model keeps to them as to anything that it is asked.
"""

from collections.abc import Mapping
from typing import Any

_BOUNDS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
)
_MAPS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_DEEPEST = 64


def output_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` without bounds, and with every object closed."""
    return _cleaned(schema, 0)


def input_schema(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The parameters of a tool; there must be some, and their root an object."""
    return {"type": "object", **schema} if schema else {"type": "object", "properties": {}}


def _cleaned(schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
    cleaned = {name: value for name, value in schema.items() if name not in _BOUNDS}
    if depth > _DEEPEST:
        return cleaned
    bounds = [f"{name} {schema[name]}" for name in _BOUNDS if name in schema]
    if bounds:
        told = [schema.get("description"), f"({', '.join(bounds)})"]
        cleaned["description"] = " ".join(str(one) for one in told if one)
    for name in _MAPS:
        if isinstance(schema.get(name), Mapping):
            cleaned[name] = {key: _any(one, depth) for key, one in schema[name].items()}
    for name in _LISTS:
        if isinstance(schema.get(name), list):
            cleaned[name] = [_any(one, depth) for one in schema[name]]
    if "items" in schema:
        cleaned["items"] = _any(schema["items"], depth)
    if schema.get("type") == "object" or "properties" in schema:
        cleaned["additionalProperties"] = False
    return cleaned


def _any(schema: Any, depth: int) -> Any:
    return _cleaned(schema, depth + 1) if isinstance(schema, Mapping) else schema
