"""JSON schemas in the dialect of Google's `Schema`, a part of OpenAPI's.

What the dialect has no word for is left out: it loosens what the model may say, never tightens
it. References are put in place; where one leads back into itself, any text may stand.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.dialects.canonical import Untranslatable

_KEPT = (
    "title", "description", "minimum", "maximum", "minItems", "maxItems", "minLength",
    "maxLength", "minProperties", "maxProperties", "pattern",
)  # fmt: skip
_FORMATS: Mapping[str, frozenset[str]] = {
    "string": frozenset({"enum", "date-time"}),
    "number": frozenset({"float", "double"}),
    "integer": frozenset({"int32", "int64"}),
}
_MAX_DEPTH = 32
# References that are put in place may make a small schema a huge one.
_MAX_NODES = 20_000
_Schema = dict[str, Any]


def cleaned(schema: Mapping[str, Any]) -> _Schema:
    """`schema` in the dialect. Raises `Untranslatable` when it grows beyond all bounds."""
    return _Cleaning(schema).node(schema, ())


def parameters(schema: Mapping[str, Any] | None) -> _Schema | None:
    """The parameters of a function in the dialect; None when it takes none."""
    if not schema:
        return None
    shaped = cleaned(schema)
    return shaped if shaped.get("properties") else None


class _Cleaning:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._nodes = 0

    def node(self, schema: Any, seen: tuple[str, ...]) -> _Schema:
        """`seen` are the references that lead here."""
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise Untranslatable("the JSON schema is too large", "tools")
        if not isinstance(schema, Mapping) or len(seen) > _MAX_DEPTH:
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            if reference in seen:
                return {}
            target = {**self._target(reference), **schema}
            del target["$ref"]
            return self.node(target, (*seen, reference))
        if schema.get("allOf"):
            return self.node(self._merged(schema), (*seen, "allOf"))
        shaped = {name: schema[name] for name in _KEPT if schema.get(name) is not None}
        self._type(schema, shaped, seen)
        return shaped

    def _target(self, reference: str) -> Mapping[str, Any]:
        place: Any = self._root
        for step in reference.removeprefix("#").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            place = place.get(name, {}) if name and isinstance(place, Mapping) else place
        return place if isinstance(place, Mapping) and place is not self._root else {}

    def _merged(self, schema: Mapping[str, Any]) -> _Schema:
        """A schema and all that it must fulfil too, as one."""
        merged = {name: value for name, value in schema.items() if name != "allOf"}
        for one in schema["allOf"]:
            target = self._target(one["$ref"]) if "$ref" in one else one
            for name, value in target.items():
                mine = merged.get(name)
                if isinstance(mine, Mapping) and isinstance(value, Mapping):
                    merged[name] = {**mine, **value}
                elif isinstance(mine, list) and isinstance(value, list):
                    merged[name] = [*mine, *(item for item in value if item not in mine)]
                else:
                    merged.setdefault(name, value)
        return merged

    def _type(self, schema: Mapping[str, Any], shaped: _Schema, seen: tuple[str, ...]) -> None:
        kinds, nullable = _kinds(schema)
        if nullable or schema.get("nullable") is True:
            shaped["nullable"] = True
        options = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(options, list) and options:
            self._any_of(options, shaped, seen)
        elif len(kinds) > 1:
            shaped["anyOf"] = [self._of_kind(kind, schema, seen) for kind in kinds]
        else:
            kind = kinds[0] if kinds else _implied(schema)
            if kind:
                shaped |= self._of_kind(kind, schema, seen)

    def _any_of(self, options: list[Any], shaped: _Schema, seen: tuple[str, ...]) -> None:
        real = [one for one in options if not _is_null(one)]
        if len(real) < len(options):
            shaped["nullable"] = True
        nodes = [self.node(one, seen) for one in real]
        if len(nodes) == 1:
            shaped |= {**nodes[0], **shaped}
        elif nodes:
            shaped["anyOf"] = nodes

    def _of_kind(self, kind: str, schema: Mapping[str, Any], seen: tuple[str, ...]) -> _Schema:
        shaped: _Schema = {"type": kind.upper()}
        if schema.get("format") in _FORMATS.get(kind, ()):
            shaped["format"] = schema["format"]
        choices = [schema["const"]] if "const" in schema else schema.get("enum")
        if kind == "string" and isinstance(choices, list):
            shaped["enum"] = [str(choice) for choice in choices if choice is not None]
        if kind == "array":
            shaped["items"] = self._items(schema, seen)
        if kind == "object":
            shaped |= self._members(schema, seen)
        return shaped

    def _items(self, schema: Mapping[str, Any], seen: tuple[str, ...]) -> _Schema:
        items = schema.get("items")
        if not isinstance(items, Mapping):
            places = schema.get("prefixItems") or items
            items = {"anyOf": places} if isinstance(places, list) and places else {}
        # A list of anything has no form here; a list of texts comes nearest.
        return self.node(items, seen) or {"type": "STRING"}

    def _members(self, schema: Mapping[str, Any], seen: tuple[str, ...]) -> _Schema:
        members = schema.get("properties")
        if not isinstance(members, Mapping) or not members:
            return {}
        shaped: _Schema = {
            "properties": {
                str(name): self.node(one, seen) or {"type": "STRING"}
                for name, one in members.items()
            }
        }
        required = schema.get("required")
        if isinstance(required, list):
            known = [name for name in required if name in members]
            if known:
                shaped["required"] = known
        return shaped


def _kinds(schema: Mapping[str, Any]) -> tuple[list[str], bool]:
    """The types a value may have, and whether null is one."""
    given = schema.get("type")
    listed: Sequence[Any] = given if isinstance(given, list) else [given]
    kinds = [kind.lower() for kind in listed if isinstance(kind, str)]
    real = [kind for kind in kinds if kind != "null"]
    return real, len(real) < len(kinds)


def _is_null(option: Any) -> bool:
    return isinstance(option, Mapping) and option.get("type") == "null"


def _implied(schema: Mapping[str, Any]) -> str | None:
    """The type of a schema that does not name it."""
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(choices, list) and choices:
        return _kind_of_value(choices[0])
    return None


def _kind_of_value(value: Any) -> str:
    kinds: tuple[tuple[type, str], ...] = ((bool, "boolean"), (int, "integer"), (float, "number"))
    return next((kind for python, kind in kinds if isinstance(value, python)), "string")
