"""`gatewayz provider-keys`: the keys that the account has at providers of its own."""

import sys
from typing import Annotated

import typer

from infra.cli.common import (
    DEFAULT_URL,
    EXIT_UNUSABLE,
    ApiKeyOption,
    JsonOption,
    UrlOption,
    ask,
    ask_for_all,
    fail,
    path_of,
)
from infra.cli.output import Column, show, show_list

app = typer.Typer(help="Your own keys at providers (scope keys).", no_args_is_help=True)
PATH = "/v1/provider_keys"
COLUMNS: dict[str, Column] = {
    "id": "id",
    "provider": "provider",
    "key": lambda key: f"…{key['last4']}",
    "fallback": "fallback",
    "created": "created_at",
}


@app.command()
def add(
    provider: Annotated[str, typer.Argument(help="Its name here: openai, groq, …")],
    fallback: Annotated[
        bool, typer.Option("--fallback", help="Our key may serve, at our price, where yours fails.")
    ] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Calls a provider with your own key, in place of an earlier one; the provider bills you.

    The key is asked for, or read from standard input: on the command line others would see it.
    """
    body = {"provider": provider, "api_key": _key(provider), "fallback": fallback}
    show(as_json, ask(url, api_key, lambda client: client.post(PATH, body)))


@app.command("list")
def list_(
    url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False
) -> None:
    """Lists your own keys at providers."""
    show_list(as_json, ask_for_all(url, api_key, PATH), COLUMNS)


@app.command()
def remove(
    provider_key_id: Annotated[str, typer.Argument(help="pkey_…")],
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Uses a key no more, at once."""
    path = path_of("v1", "provider_keys", provider_key_id)
    show(as_json, ask(url, api_key, lambda client: client.send("DELETE", path)).body)


def _key(provider: str) -> str:
    if sys.stdin.isatty():
        key: str = typer.prompt(f"Your key at {provider}", hide_input=True)
    else:
        key = sys.stdin.readline()
    if not key.strip():
        fail("no key was given", EXIT_UNUSABLE)
    return key.strip()
