"""`gatewayz log`: the options of its commands."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from infra.cli.common import (
    EXIT_REFUSED,
    EXIT_UNUSABLE,
    ConfigOption,
    DataOption,
    JsonOption,
    fail,
    loaded,
)
from infra.cli.output import show

if TYPE_CHECKING:
    from infra.export import Chain

app = typer.Typer(
    help="The event log; an engine may be at work beside.",
    no_args_is_help=True,
)
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="POINT", help="Begins at a position, or at a time in RFC 3339."),
]
ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="POINT", help="Ends with a position, or before a time."),
]
SourceOption = Annotated[
    Literal["kafka", "store"] | None,
    typer.Option(help="The log to read in a cluster: Kafka, unless you say `store`."),
]


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
    """Shows the last events of the event store; reads alone and holds nobody up."""
    from infra.cli.log_views import show_tail

    show_tail(loaded(config, data_dir=data), lines, follow, as_json)


@app.command()
def replay(
    begin: FromOption = None,
    end: ToOption = None,
    source: SourceOption = None,
    topic: Annotated[
        str | None,
        typer.Option(help="One partition of Kafka instead, named as `billing-3`."),
    ] = None,
    offset: Annotated[int, typer.Option(min=0, help="Where to begin in the partition.")] = 0,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prints the events of a part of the log, by positions or times, or of one partition."""
    from infra.cli.log_views import replay_and_show, show_partition

    settings = loaded(config, data_dir=data)
    if topic is None:
        replay_and_show(settings, begin, end, source, as_json)
    else:
        show_partition(settings, topic, offset, as_json)


@app.command()
def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    begin: FromOption = None,
    end: ToOption = None,
    source: SourceOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Writes the log, or a part of it, as JSON lines, each chained by its hash to the one before.

    Prompts and answers stay sealed. Note the head of the chain: who can write the file could
    chain it anew, and the head would then be another. Kafka and the event store give the same.
    """
    from infra.cli.log_views import export_to

    show_chain(export_to(loaded(config, data_dir=data), output, begin, end, source), as_json)


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
    show_chain(chain, as_json)


def show_chain(chain: "Chain", as_json: bool) -> None:
    """How many events, to which position, under which head."""
    show(as_json, {"events": chain.events, "position": chain.position, "head": chain.head})
