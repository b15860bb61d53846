"""`gatewayz keys`: the API keys of the account that asks."""

import time
from typing import Annotated, Any

import typer

from domain.durations import seconds_of
from infra.cli.common import (
    DEFAULT_URL,
    ApiKeyOption,
    JsonOption,
    UrlOption,
    ask,
    ask_for_all,
    path_of,
)
from infra.cli.output import Column, show, show_list

app = typer.Typer(help="API keys of the account (scope keys).", no_args_is_help=True)
COLUMNS: dict[str, Column] = {
    "id": "id",
    "name": "name",
    "key": lambda key: f"{key['prefix']}…{key['last4']}",
    "scopes": "scopes",
    "status": "status",
    "expires": "expires_at",
}


def _duration(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


KeyId = Annotated[str, typer.Argument(help="key_…")]
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="Repeat for several.")]
ExpiresIn = Annotated[
    float | None, typer.Option(parser=_duration, metavar="DURATION", help="From now: 8h, 30d.")
]
Overlap = Annotated[
    float | None,
    typer.Option(parser=_duration, metavar="DURATION", help="How long the old secret still works."),
]


@app.command()
def create(
    name: str,
    scope: Scopes = None,
    expires_in: ExpiresIn = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Makes a key and shows its secret, this once; without --scope it can do what yours can."""
    body = {"name": name, **_changes(None, scope, expires_in)}
    _show_secret(as_json, ask(url, api_key, lambda client: client.post("/v1/keys", body)))


@app.command("list")
def list_(
    url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False
) -> None:
    """Lists the account's keys, revoked ones too."""
    show_list(as_json, ask_for_all(url, api_key, "/v1/keys"), COLUMNS)


@app.command()
def update(
    key_id: KeyId,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    scope: Scopes = None,
    expires_in: ExpiresIn = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Changes a key's name, scopes or expiry; what is left out stays."""
    changes = _changes(name, scope, expires_in)
    reply = ask(
        url,
        api_key,
        lambda client: client.send("PATCH", path_of("v1", "keys", key_id), body=changes),
    )
    show(as_json, reply.body)


@app.command()
def rotate(
    key_id: KeyId,
    overlap: Overlap = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Gives a key a new secret and shows it, this once."""
    body = {"overlap_seconds": int(overlap or 0)}
    path = path_of("v1", "keys", key_id, "rotate")
    _show_secret(as_json, ask(url, api_key, lambda client: client.post(path, body)))


@app.command()
def revoke(
    key_id: KeyId,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stops a key at once."""
    show(
        as_json,
        ask(url, api_key, lambda client: client.post(path_of("v1", "keys", key_id, "revoke"))),
    )


def _changes(
    name: str | None, scopes: list[str] | None, expires_in: float | None
) -> dict[str, Any]:
    expires_at = None if expires_in is None else time.time() + expires_in
    given = {"name": name, "scopes": scopes or None, "expires_at": expires_at}
    return {field: value for field, value in given.items() if value is not None}


def _show_secret(as_json: bool, made: dict[str, Any]) -> None:
    show(as_json, made if as_json else {**made["key"], "api_key": made["api_key"]})
