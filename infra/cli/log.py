"""`gatewayz log`: reading, exporting and verifying the event log of a data directory."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from domain.errors import StoreUnavailable
from infra.cli.common import (
    EXIT_REFUSED,
    EXIT_UNUSABLE,
    ConfigOption,
    DataOption,
    JsonOption,
    fail,
    loaded,
)
from infra.cli.output import console, echo_json, progress_bar, show, time_of

if TYPE_CHECKING:
    from infra.offline import StoredRow

app = typer.Typer(
    help="The event log of a data directory; an engine may be at work beside.",
    no_args_is_help=True,
)
POLL_SECONDS = 0.25
ROWS_AT_ONCE = 500


@app.command()
def tail(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Goes on with new events.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="How many to begin with.")
    ] = 20,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Shows the last events; reads alone and holds nobody up."""
    from infra.offline import open_log

    try:
        with open_log(loaded(config, data_dir=data)) as reader:
            position = max(0, reader.last() - lines)
            while True:
                rows = reader.rows(position, ROWS_AT_ONCE)
                _print_rows(rows, as_json)
                position = rows[-1].position if rows else position
                if not rows and not follow:
                    return
                if not rows:
                    time.sleep(POLL_SECONDS)
    except StoreUnavailable as error:
        fail(str(error), EXIT_UNUSABLE)
    except KeyboardInterrupt:
        return


@app.command()
def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Writes the whole log as JSON lines, each chained to the one before by its hash.

    Prompts and answers stay sealed. Note the head of the chain: who can write the file could
    chain it anew, and the head would then be another.
    """
    from infra.export import export_log
    from infra.offline import open_log

    settings = loaded(config, data_dir=data)
    try:
        with open_log(settings) as reader, output.open("wb") as file, progress_bar("events") as bar:
            task = bar.add_task("")
            chain = export_log(
                reader, file, lambda done, total: bar.update(task, completed=done, total=total)
            )
    except (StoreUnavailable, OSError) as error:
        fail(str(error), EXIT_UNUSABLE)
    show(as_json, {"events": chain.events, "position": chain.position, "head": chain.head})


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A file that `log export` wrote.")],
    head: Annotated[str | None, typer.Option(help="The head that you noted.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Follows the chain of an export: exit 0 intact, 1 altered, 2 unreadable."""
    from infra.export import AlteredExport, UnreadableExport, verify_export

    try:
        chain = verify_export(file)
    except UnreadableExport as error:
        fail(str(error), EXIT_UNUSABLE)
    except AlteredExport as error:
        fail(f"altered: {error}", EXIT_REFUSED)
    if head is not None and head != chain.head:
        fail(f"altered: the head is {chain.head}", EXIT_REFUSED)
    show(as_json, {"events": chain.events, "position": chain.position, "head": chain.head})


def _print_rows(rows: Iterable["StoredRow"], as_json: bool) -> None:
    out = console()
    for row in rows:
        envelope: dict[str, Any] = json.loads(row.state)
        if as_json:
            place = {"position": row.position, "stream": row.stream, "version": row.version}
            echo_json({**place, "type": row.topic, "envelope": envelope})
        else:
            at = time_of(envelope["at"] / 1000)
            actor = "/".join(envelope["actor"])
            head, rest = f"{row.position:>8}  {at}  ", f"  {row.stream}  {actor}"
            out.print(Text.assemble(head, (row.topic, "bold"), rest))
