"""The event catalogue, made from the event types themselves: a page and a JSON document."""

import dataclasses
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from domain.event import Event
from domain.event_types import ALL_EVENTS
from infra.type_names import table_row, type_name

HEAD = """# Events

Generated from the event types; `make docs` writes it anew. `gatewayz catalogue` prints it.

An event is stored under its name and version for ever. Adding an optional field keeps the
version; any other change makes a new one, with an upcast from the one before. Times (`*_at`) are
Unix milliseconds, amounts are picodollars (10⁻¹² USD), and prompts, answers and secrets are
sealed: ciphertext under the account's own key.
"""


def render() -> str:
    """The page as Markdown."""
    events = sorted(ALL_EVENTS, key=lambda event_type: event_type.event_name)
    parts = _parts_of(events)
    lines = [HEAD]
    for event_type in events:
        lines += _section(f"{event_type.event_name}@{event_type.event_version}", event_type)
    lines.append("# Parts\n")
    for part in parts:
        lines += _section(part.__name__, part)
    return "\n".join(lines)


def write(path: Path) -> None:
    """Writes the page."""
    path.write_text(render(), "utf-8")


def as_json() -> dict[str, Any]:
    """Every event's name, version, meaning and JSON Schema; shared parts stand in `$defs`."""
    schemas, parts = msgspec.json.schema_components(ALL_EVENTS, ref_template="#/$defs/{name}")
    names = {event_type.__name__ for event_type in ALL_EVENTS}
    events = [
        {
            "name": event_type.event_name,
            "version": event_type.event_version,
            "meaning": inspect.getdoc(event_type),
            "schema": parts[schema["$ref"].rpartition("/")[2]],
        }
        for event_type, schema in zip(ALL_EVENTS, schemas, strict=True)
    ]
    shared = {name: part for name, part in parts.items() if name not in names}
    return {"events": events, "$defs": shared}


def _section(title: str, of: type) -> Iterator[str]:
    yield f"## `{title}`\n"
    yield f"{inspect.getdoc(of)}\n"
    yield from ("| Field | Type | |", "|---|---|---|")
    hints = get_type_hints(of)
    for field in dataclasses.fields(of):
        required = field.default is field.default_factory is dataclasses.MISSING
        yield table_row(
            f"`{field.name}`", type_name(hints[field.name]), "" if required else "optional"
        )
    yield ""


def _parts_of(roots: Iterable[type[Event]]) -> list[type]:
    """Every dataclass that the fields of `roots` are made of, by name."""
    found: dict[str, type] = {}
    waiting: list[Any] = [hint for root in roots for hint in get_type_hints(root).values()]
    while waiting:
        hint = waiting.pop()
        waiting += get_args(hint)
        is_part = isinstance(hint, type) and dataclasses.is_dataclass(hint)
        if is_part and hint.__name__ not in found:
            found[hint.__name__] = hint
            waiting += get_type_hints(hint).values()
    return [found[name] for name in sorted(found)]
