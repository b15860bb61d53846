"""`gatewayz projections`: the options of its commands."""

from typing import Annotated, Literal

import typer

from infra.cli.common import ConfigOption, DataOption, JsonOption, loaded

app = typer.Typer(
    help="The read models of an engine, which may be at work beside.", no_args_is_help=True
)
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="All without names.")]
SourceOption = Annotated[
    Literal["kafka", "store"] | None,
    typer.Option(
        "--from", "--source", help="The log to replay in a cluster: Kafka, unless you say `store`."
    ),
]


@app.command()
def status(
    config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Shows every read model with its version, position and lag; exits 1 when one has stopped."""
    from infra.cli.read_models import show_status

    show_status(loaded(config, data_dir=data), as_json)


@app.command()
def rebuild(
    names: Names = None,
    config: ConfigOption = None,
    data: DataOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Builds read models anew from the log, beside the old ones, and swaps them in."""
    from infra.cli.read_models import rebuild_and_show

    rebuild_and_show(loaded(config, data_dir=data), names or [], source, as_json)


@app.command()
def verify(
    names: Names = None,
    config: ConfigOption = None,
    data: DataOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replays the log and compares row for row; checks that wallets equal the ledger.

    Exits 1 with the first differences when anything differs.
    """
    from infra.cli.read_models import verify_and_show

    verify_and_show(loaded(config, data_dir=data), names or [], source, as_json)
