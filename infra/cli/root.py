"""The root of the command line: serving and checking."""

from typing import Annotated

import typer
import uvloop

from infra.cli.common import EXIT_CODES, ConfigOption, DataOption, fail, loaded
from infra.cli.demo import demo
from infra.data_dir import DataDirectoryInUse

app = typer.Typer(
    name="gatewayz",
    help="A universal AI inference gateway: durable jobs, signed webhooks, one bill.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(demo)


@app.command()
def serve(
    config: ConfigOption = None,
    data: DataOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes any free one.")] = None,
) -> None:
    """Runs the engine and its HTTP server in this process."""
    settings = loaded(config, data_dir=data, host=host, port=port)
    from infra.bootstrap import Engine
    from infra.serve import serve as run

    def announce(engine: Engine, url: str) -> None:
        if engine.new_admin_key is not None:
            typer.echo(f"administrator key (shown once): {engine.new_admin_key}")
        typer.echo(f"gatewayz {engine.ports.version} listening on {url}")

    try:
        uvloop.run(run(settings, announce))
    except (DataDirectoryInUse, OSError) as error:
        fail(str(error))


@app.command()
def check(config: ConfigOption = None, data: DataOption = None) -> None:
    """Validates the configuration without starting anything."""
    settings = loaded(config, data_dir=data)
    usable = ", ".join(settings.usable_providers) or "none"
    typer.echo(f"the configuration is valid; providers: {usable}")
