"""What the commands share: options, settings and exits."""

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from domain.catalog.catalogue import InvalidCatalogue
from infra.settings import Settings, SettingsProblem, load_settings

EXIT_REFUSED = 1
EXIT_UNUSABLE = 2

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", envvar="GATEWAYZ_CONFIG", help="The configuration file."),
]
DataOption = Annotated[
    Path | None, typer.Option("--data", envvar="GATEWAYZ_DATA", help="The data directory.")
]


def fail(message: str, code: int = EXIT_REFUSED) -> NoReturn:
    """Says what is wrong on standard error and ends the process."""
    typer.secho(message, err=True, fg=typer.colors.RED)
    raise typer.Exit(code)


def loaded(config: Path | None, **arguments: Any) -> Settings:
    """The settings, or exit 2 with every problem by name."""
    try:
        return load_settings(config, **arguments)
    except (SettingsProblem, InvalidCatalogue) as problem:
        fail(str(problem), EXIT_UNUSABLE)
