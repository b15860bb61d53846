"""JSON schemas in Google's dialect."""

from typing import Any

import pytest

from adapters.providers.gemini.schema import cleaned, parameters
from domain.dialects.canonical import Untranslatable

TEXT = {"type": "STRING"}


def member(schema: dict[str, Any], **root: Any) -> dict[str, Any]:
    """What becomes of a schema that is a member of an object."""
    whole = cleaned({"type": "object", "properties": {"x": schema}, **root})
    told: dict[str, Any] = whole["properties"]["x"]
    return told


@pytest.mark.parametrize(
    ("schema", "shaped"),
    [
        ({"type": "string", "format": "date-time"}, {**TEXT, "format": "date-time"}),
        ({"type": "string", "format": "uuid"}, TEXT),
        ({"type": "number", "format": "float"}, {"type": "NUMBER", "format": "float"}),
        ({"type": "integer", "format": "int64"}, {"type": "INTEGER", "format": "int64"}),
        ({"type": ["string", "null"]}, {**TEXT, "nullable": True}),
        ({"type": ["string", "integer"]}, {"anyOf": [TEXT, {"type": "INTEGER"}]}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {**TEXT, "nullable": True}),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]},
         {"anyOf": [TEXT, {"type": "INTEGER"}]}),
        ({"const": "a"}, {**TEXT, "enum": ["a"]}),
        ({"enum": ["a", "b", None]}, {**TEXT, "enum": ["a", "b"]}),
        ({"type": "integer", "enum": [1, 2]}, {"type": "INTEGER"}),
        ({"type": "integer", "exclusiveMinimum": 1, "minimum": 0},
         {"type": "INTEGER", "minimum": 0}),
        ({"type": "string", "default": "a", "examples": ["b"], "$id": "c", "$comment": "d"}, TEXT),
        ({"type": "array"}, {"type": "ARRAY", "items": TEXT}),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 1},
         {"type": "ARRAY", "items": {"type": "BOOLEAN"}, "minItems": 1}),
        ({"prefixItems": [{"type": "string"}, {"type": "integer"}]},
         {"type": "ARRAY", "items": {"anyOf": [TEXT, {"type": "INTEGER"}]}}),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"type": "OBJECT"}),
        ({"properties": {"a": {"type": "string"}}, "required": ["a", "b"],
          "patternProperties": {"^x": {}}},
         {"type": "OBJECT", "properties": {"a": TEXT}, "required": ["a"]}),
        ({}, TEXT),
        (True, TEXT),
    ],
)  # fmt: skip
def test_each_word_of_json_schema_has_its_form_or_none(
    schema: dict[str, Any], shaped: dict[str, Any]
) -> None:
    assert member(schema) == shaped


def test_a_reference_is_put_in_place_with_what_stands_beside_it() -> None:
    shaped = member({"$ref": "#/$defs/Name", "description": "who"}, **{"$defs": {
        "Name": {"type": "string", "description": "a name", "maxLength": 9}}})  # fmt: skip
    assert shaped == {**TEXT, "description": "who", "maxLength": 9}


def test_a_reference_back_into_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    shaped = member({"$ref": "#/$defs/Node"}, **{"$defs": {"Node": node}})
    assert shaped == {"type": "OBJECT", "properties": {"next": TEXT}}


def test_what_must_hold_together_is_merged() -> None:
    shaped = member(
        {"allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"$ref": "#/$defs/More"},
        ]},
        **{"$defs": {"More": {"properties": {"b": {"type": "integer"}}, "required": ["b"]}}},
    )  # fmt: skip
    assert shaped == {
        "type": "OBJECT",
        "properties": {"a": TEXT, "b": {"type": "INTEGER"}},
        "required": ["a", "b"],
    }


def test_a_schema_that_must_fulfil_itself_ends() -> None:
    loop = {"allOf": [{"$ref": "#/$defs/A"}]}
    assert member({"$ref": "#/$defs/A"}, **{"$defs": {"A": loop}}) == TEXT


def test_references_that_multiply_are_refused() -> None:
    doubling = {
        f"D{n}": {
            "type": "object",
            "properties": {side: {"$ref": f"#/$defs/D{n + 1}"} for side in "ab"},
        }
        for n in range(30)
    }
    with pytest.raises(Untranslatable):
        member({"$ref": "#/$defs/D0"}, **{"$defs": doubling})


@pytest.mark.parametrize("schema", [None, {}, {"type": "object", "properties": {}}])
def test_a_function_without_parameters_has_none(schema: dict[str, Any] | None) -> None:
    assert parameters(schema) is None
