"""`gatewayz dead-letters`: events that a consumer could not handle."""

from typing import Annotated

import typer

from infra.cli.common import (
    DEFAULT_URL,
    ApiKeyOption,
    JsonOption,
    UrlOption,
    ask,
    ask_for_all,
    path_of,
)
from infra.cli.output import show, show_list

app = typer.Typer(
    help="Events that a consumer could not handle (an administrator's key).", no_args_is_help=True
)
COLUMNS = {
    "consumer": "consumer",
    "position": "position",
    "event": "event_name",
    "at": "at",
    "error": "error",
}


@app.command("list")
def list_(
    consumer: Annotated[str | None, typer.Option(help="Of one consumer alone.")] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lists dead letters with their errors."""
    letters = ask_for_all(url, api_key, "/admin/dead_letters", consumer=consumer)
    show_list(as_json, letters, COLUMNS)


@app.command()
def redrive(
    consumer: str,
    position: int,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Handles a dead letter again; it goes when that succeeds."""
    path = path_of("admin", "dead_letters", consumer, str(position), "redrive")
    show(as_json, ask(url, api_key, lambda client: client.post(path)))
