"""`gatewayz providers`: those that are known and configured, and whether they answer."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.common import (
    DEFAULT_URL,
    EXIT_REFUSED,
    EXIT_UNUSABLE,
    ApiKeyOption,
    ConfigOption,
    JsonOption,
    UrlOption,
    ask,
    fail,
    loaded,
)
from infra.cli.output import Column, show_list

if TYPE_CHECKING:
    from infra.settings import ProviderSettings, Settings

app = typer.Typer(
    help="The providers: which there are, how each is enabled, whether it answers.",
    no_args_is_help=True,
)
LISTED: dict[str, Column] = {
    "provider": "id",
    "protocol": "protocol",
    "state": lambda one: "enabled" if one["enabled"] else one["disabled_because"],
    "offers": "offers",
}
CHECKED: dict[str, Column] = {
    "provider": "provider",
    "": lambda one: "ok" if one["ok"] else "FAILED",
    "ms": "latency_ms",
    "what": lambda one: one["problem"] or one["note"] or "",
}
SYNCED: dict[str, Column] = {
    "provider": "provider",
    "result": lambda one: one["why"] or one["result"],
    "offers": "offers",
    "gone": "gone",
    "quarantined": "quarantined",
}
NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]…", help="All that are usable without names.")
]


@app.command("list")
def list_(
    config: ConfigOption = None,
    enabled: Annotated[bool, typer.Option("--enabled", help="Only what is enabled.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Lists every provider: what enables it, and if it is not enabled, what is missing."""
    settings = loaded(config)
    offers = _offers(settings)
    rows = [
        _row(name, provider, offers[name])
        for name, provider in settings.providers.items()
        if provider.is_usable or not enabled
    ]
    show_list(as_json, rows, LISTED)


@app.command()
def sync(
    name: Annotated[
        str | None, typer.Argument(help="The provider; every one that has a list without it.")
    ] = None,
    accept_fewer: Annotated[
        bool, typer.Option("--accept-fewer", help="Also a list that lost more than half.")
    ] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reads providers' own lists of models and prices now, at a running engine."""
    body = {"provider": name, "accept_fewer": accept_fewer}
    path = "/admin/catalogue/sync"
    show_list(as_json, ask(url, api_key, lambda client: client.post(path, body))["data"], SYNCED)


@app.command()
def check(
    names: NamesArgument = None,
    config: ConfigOption = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=300, help="Seconds for each.")] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Asks providers whether they are there and take the credential; no model is run.

    Exits 1 when one of them fails.
    """
    settings = loaded(config)
    chosen = _chosen(settings, names or [])
    if not chosen:
        fail("no provider is enabled: see `gatewayz providers list`")
    from infra.providers.probing import check_all

    findings = asyncio.run(check_all(chosen, timeout))
    show_list(as_json, map(asdict, findings), CHECKED)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(EXIT_REFUSED)


def _offers(settings: "Settings") -> Counter[str]:
    """How many priced models each provider has, whether it is enabled or not."""
    from infra.model_data.loading import known_models

    known = Counter(
        offer.provider
        for model in known_models()
        if model.id not in settings.models
        for offer in model.offers
    )
    return known + Counter(
        offer.provider for model in settings.models.values() for offer in model.offers
    )


def _chosen(settings: "Settings", names: list[str]) -> Mapping[str, "ProviderSettings"]:
    unknown = [name for name in names if name not in settings.providers]
    if unknown:
        fail(f"there is no provider {unknown[0]!r}", EXIT_UNUSABLE)
    if names:
        return {name: settings.providers[name] for name in names}
    return {
        name: provider
        for name, provider in settings.usable_providers.items()
        if provider.protocol != "simulator"
    }


def _row(name: str, provider: "ProviderSettings", offers: int) -> dict[str, Any]:
    facts = provider.facts
    return {
        "id": name,
        "name": facts.name if facts else name,
        "protocol": provider.protocol,
        "base_url": provider.shown_address,
        "enabled": provider.is_usable,
        "disabled_because": provider.why_unusable,
        "variables": facts.enabling_variables if facts else [],
        "offers": offers,
        "region": facts.region if facts else None,
        "regions": sorted(provider.regions),
        "confidence": facts.confidence if facts else None,
        "docs": facts.docs if facts else None,
    }
