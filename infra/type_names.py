"""The plain words for a Python type that the generated pages use."""

import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BeforeValidator, SecretStr

from domain.money import TokenPrice
from infra.settings.values import seconds

WORDS: Mapping[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    bytes: "base64",
    types.NoneType: "null",
    Path: "path",
    SecretStr: "secret text",
    TokenPrice: "decimal",
}


def type_name(annotation: Any) -> str:
    """`tuple[int, ...] | None` is "list of integer, or null"."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return "duration" if is_duration(parts[1:]) else type_name(parts[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in parts)
    if origin in (Union, types.UnionType):
        return ", or ".join(type_name(part) for part in parts)
    if origin is tuple:
        return f"list of {type_name(parts[0])}"
    if origin is dict:
        return f"mapping to {type_name(parts[1])}"
    return WORDS.get(annotation) or str(annotation.__name__)


def is_duration(metadata: tuple[Any, ...]) -> bool:
    """Whether a value with this metadata is read as a duration."""
    return any(isinstance(one, BeforeValidator) and one.func is seconds for one in metadata)


def table_row(*cells: str) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
