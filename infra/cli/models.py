"""`gatewayz models`: what is on sale, searched and filtered."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from infra.cli.common import (
    DEFAULT_URL,
    EXIT_UNUSABLE,
    ApiKeyOption,
    JsonOption,
    UrlOption,
    ask,
    fail,
)
from infra.cli.output import Column, show_list

SHOWN_OFFERS = 3
FILTERS = "provider, kind, capability, max_price, min_context, min_providers, sort, limit"


def models(
    search: Annotated[str | None, typer.Argument(help="Words that its names hold.")] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", help=f"NAME=VALUE, of {FILTERS}.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Those too that no enabled provider serves.")
    ] = False,
    hosts: Annotated[bool, typer.Option("--hosts", help="A row for each provider.")] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lists the models on sale with their prices in USD per million tokens.

    For example: `gatewayz models claude --where max_price=15 --where sort=price`.
    """
    query: dict[str, str | int | None] = {
        **dict(map(_named, where or ())),
        "search": search,
        "available": "all" if every else None,
        "view": "full" if hosts else None,
    }
    listed = ask(url, api_key, lambda client: client.get("/v1/models", **query))
    columns: dict[str, Column] = {
        "id": "id",
        "kind": "kind",
        "context": "context_length",
        "input/output": _offers,
    }
    show_list(as_json, listed["data"], columns)


def _named(condition: str) -> tuple[str, str]:
    name, found, value = condition.partition("=")
    if not found or name not in FILTERS.split(", "):
        fail(f"--where {condition}: NAME=VALUE is meant, with a NAME of {FILTERS}", EXIT_UNUSABLE)
    return name, value


def _offers(model: Mapping[str, Any]) -> str:
    offers = model.get("offers", [model])
    shown = [_offer(offer) for offer in offers[:SHOWN_OFFERS]]
    more = len(offers) - len(shown)
    return "; ".join(shown) + (f" and {more} more" if more else "")


def _offer(offer: Mapping[str, Any]) -> str:
    if "input_usd_per_million" in offer:
        output = offer.get("output_usd_per_million", "0.00")
        return f"{offer['provider']} {offer['input_usd_per_million']}/{output}"
    units = ", ".join(f"{one['usd']} {one['unit']}" for one in offer.get("per_unit", ()))
    return f"{offer['provider']} {units}"
