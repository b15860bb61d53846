"""The plain words for a Python type that the generated pages use."""

import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BeforeValidator, PlainValidator, SecretStr

from domain.money import TokenPrice
from infra.settings.values import request_price, seconds

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

READ_AS: Mapping[Any, str] = {seconds: "duration", request_price: "decimal"}


def type_name(annotation: Any) -> str:
    """`tuple[int, ...] | None` is "list of integer, or null"."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return read_as(parts[1:]) or type_name(parts[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in parts)
    if origin in (Union, types.UnionType):
        return ", or ".join(type_name(part) for part in parts)
    if origin is tuple:
        return f"list of {type_name(parts[0])}"
    if origin is dict:
        return f"mapping to {type_name(parts[1])}"
    return WORDS.get(annotation) or str(annotation.__name__)


def read_as(metadata: Iterable[Any]) -> str | None:
    """The word for what a value with this metadata is read from, if that is not its type."""
    readers = (one.func for one in metadata if isinstance(one, BeforeValidator | PlainValidator))
    return next(filter(None, map(READ_AS.get, readers)), None)


def table_row(*cells: str) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
