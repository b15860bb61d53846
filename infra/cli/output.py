"""How the commands answer: a table or lines for people, JSON for machines.

What comes from outside is shown as it is: a name such as `[red]bob` is no markup.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

Column = str | Callable[[Mapping[str, Any]], Any]
# Without a terminal nothing is cut off.
WIDE = 200


def console() -> Console:
    """Standard output."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)


def echo_json(value: object) -> None:
    """One JSON document on one line."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def show(as_json: bool, item: Mapping[str, Any]) -> None:
    """One object, a line a field."""
    if as_json:
        echo_json(item)
        return
    grid = Table.grid(padding=(0, 2))
    for name, value in item.items():
        grid.add_row(Text(name, style="bold"), Text(_text(name, value)))
    console().print(grid)


def show_list(
    as_json: bool, items: Iterable[Mapping[str, Any]], columns: Mapping[str, Column]
) -> None:
    """Several objects: JSON lines, or a table with a column for each key or function."""
    if as_json:
        for item in items:
            echo_json(item)
        return
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for item in items:
        table.add_row(*(Text(_cell(item, column)) for column in columns.values()))
    console().print(table)


def time_of(unix_seconds: float | None) -> str:
    """A time as people read it, in UTC."""
    if unix_seconds is None:
        return ""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def progress_bar(what: str) -> Progress:
    """A progress bar on standard error; invisible where that is no terminal."""
    return Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def _cell(item: Mapping[str, Any], column: Column) -> str:
    if isinstance(column, str):
        return _text(column, item.get(column))
    return str(column(item))


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith("_at") and isinstance(value, int | float):
        return time_of(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
