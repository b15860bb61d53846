"""The configuration reference page, made from the settings themselves."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from infra.settings.root import Settings
from infra.settings.section import Section
from infra.type_names import read_as, table_row, type_name

HEAD = """# Configuration

Generated from the settings; `make docs` writes it anew.

One YAML file, named by `--config` or `GATEWAYZ_CONFIG`. Every value can also come from the
environment: `GATEWAYZ_` and the name, nested by `__` (`GATEWAYZ_STORAGE__DURABILITY=process`),
lists and mappings as JSON. Arguments of the command line come first, then the environment, then
the file. Unknown names and wrong values stop the start, and all of them are listed at once;
`gatewayz check` does so without starting.

Durations are seconds as numbers, or text with a unit: `250ms`, `2s`, `15m`, `1h`, `1d`. In the
file, `${NAME}` stands for a variable of the environment and `${NAME:-text}` gives a default. A
provider that needs a variable which is not set is disabled; anywhere else that is an error.

The well-known providers (`gatewayz providers list`, [providers.md](providers.md)) need no
configuration: each is enabled by its credential in its usual variable (`OPENAI_API_KEY` and so
on), and what is set under `providers.<name>` comes before its facts. The provider `simulator` and
its models need nothing. An offer without a price is not sold.
"""
# Filled in while reading, not to be set.
INTERNAL = {"unset_variables", "set_aside"}
NOT_APPLIED = "**Accepted for forward compatibility, not applied yet.**"


def render() -> str:
    """The page as Markdown."""
    return "\n".join((HEAD, *_table("", Settings))) + "\n"


def write(path: Path) -> None:
    """Writes the page."""
    path.write_text(render(), "utf-8")


def _table(name: str, model: type[BaseModel]) -> Iterator[str]:
    title, intro = (f"`{name}`", model.__doc__ or "") if name else ("Top level", "")
    yield f"## {title}\n"
    if intro:
        yield f"{intro.splitlines()[0]}\n"
    if issubclass(model, Section) and not model.applied:
        yield f"{NOT_APPLIED}\n"
    yield from ("| Name | Type | Default | Meaning |", "|---|---|---|---|")
    nested: list[tuple[str, type[BaseModel]]] = []
    for field_name, field in model.model_fields.items():
        below = _section_of(field.annotation)
        if below is not None:
            nested.append((_path(name, field_name, field), below))
        if field_name not in INTERNAL and (below is None or field.description):
            yield _row(field_name, field)
    yield ""
    for path, below in nested:
        yield from _table(path, below)


def _row(name: str, field: FieldInfo) -> str:
    return table_row(f"`{name}`", _type(field), _default(field), field.description or "")


def _path(parent: str, name: str, field: FieldInfo) -> str:
    origin = get_origin(field.annotation)
    many = ".<name>" if origin is dict else "[]" if origin is tuple else ""
    return f"{parent}.{name}{many}".removeprefix(".")


def _section_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section_of, get_args(annotation))), None)


def _type(field: FieldInfo) -> str:
    word = read_as(field.metadata)
    if word is not None:
        return word
    # An empty default says already that the value may be left out.
    name = type_name(field.annotation).removesuffix(", or null")
    below = _section_of(field.annotation)
    return name.replace(below.__name__, "the table below") if below else name


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return ""
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{json.dumps(value, default=str)}`"
