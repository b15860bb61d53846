"""The root of the command line: serving and checking."""

import os
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import typer

from infra.cli import (
    accounts,
    dead_letters,
    jobs,
    keys,
    log,
    nodes,
    projections,
    provider_keys,
    providers,
    tokens,
    webhooks,
)
from infra.cli.common import (
    EXIT_CODES,
    EXIT_UNUSABLE,
    ConfigOption,
    DataOption,
    JsonOption,
    fail,
    loaded,
)
from infra.cli.demo import demo
from infra.cli.migrate import migrate
from infra.cli.models import models
from infra.cli.nodes import tell_unapplied
from infra.cli.output import echo_json

if TYPE_CHECKING:
    from domain.catalog.catalogue import Model
    from domain.catalog.offers import Offer

SHOWN_NAMES = 20
app = typer.Typer(
    name="gatewayz",
    help="A universal AI inference gateway: every model, durable jobs, one bill.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for _command in (
    nodes.serve,
    nodes.api,
    nodes.work,
    nodes.project,
    nodes.relay,
    migrate,
    models,
    demo,
):
    app.command()(_command)
GROUPS = {
    "accounts": accounts.app,
    "keys": keys.app,
    "provider-keys": provider_keys.app,
    "jobs": jobs.app,
    "webhooks": webhooks.app,
    "providers": providers.app,
    "log": log.app,
    "projections": projections.app,
    "tokens": tokens.app,
    "dead-letters": dead_letters.app,
}
for _name, _group in GROUPS.items():
    app.add_typer(_group, name=_name, epilog=EXIT_CODES)


@app.callback()
def _private() -> None:
    # Whatever a command writes holds what no other user of the machine may read.
    os.umask(0o077)


@app.command()
def check(config: ConfigOption = None, data: DataOption = None) -> None:
    """Validates the configuration without starting anything; says what it sells."""
    settings = loaded(config, data_dir=data)
    tell_unapplied(settings)
    from adapters.crypto.master_key import MasterKeyProblem
    from domain.catalog.catalogue import InvalidCatalogue
    from infra.offers import build_catalogue
    from infra.storage import check_master_key

    try:
        sold = build_catalogue(settings)
        check_master_key(settings)
    except (InvalidCatalogue, MasterKeyProblem, OSError) as problem:
        fail(str(problem), EXIT_UNUSABLE)
    usable = ", ".join(settings.usable_providers) or "none"
    typer.echo(f"the configuration is valid; providers: {usable}")
    typer.echo(f"models on sale: {_shown([one.model.id for one in sold.listed()])}")
    unpriced = sold.unpriced_offers()
    for model, offer in unpriced:
        if model.id in settings.models:
            typer.echo(f"not sold for want of a price: {model.id} at {offer.provider}")
    if names := _unpriced_searches(unpriced, settings.usable_providers):
        typer.echo(f"not sold, as their searches of the web have no price: {_shown(names)}")
    for kind, names in _by_kind(sold.unserved()).items():
        typer.echo(f"not sold, as no endpoint serves kind {kind}: {_shown(names)}")


def _shown(names: Sequence[str]) -> str:
    """The first names, those of the configuration before the known ones, and how many more."""
    more = len(names) - SHOWN_NAMES
    return (", ".join(names[:SHOWN_NAMES]) or "none") + (f" and {more} more" if more > 0 else "")


def _unpriced_searches(
    unpriced: "Iterable[tuple[Model, Offer]]", providers: Collection[str]
) -> list[str]:
    return [
        f"{model.id} at {offer.provider}"
        for model, offer in unpriced
        if offer.provider in providers and offer.unsold_because == "unpriced_searches"
    ]


def _by_kind(models: Iterable["Model"]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for model in models:
        names.setdefault(model.kind, []).append(model.id)
    return names


@app.command()
def catalogue(as_json: JsonOption = False) -> None:
    """Prints the event catalogue: every event with its fields, as Markdown or JSON Schema."""
    from infra.catalogue import as_json as schema_document
    from infra.catalogue import render

    if as_json:
        echo_json(schema_document())
    else:
        typer.echo(render())
