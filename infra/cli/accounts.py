"""`gatewayz accounts`: opening accounts and giving them credit, with an administrator's key."""

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

app = typer.Typer(help="Accounts and their credit (an administrator's key).", no_args_is_help=True)
AccountId = Annotated[str, typer.Argument(help="acct_…")]


@app.command()
def create(
    name: str,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Opens an account and shows its owner's key, this once."""
    opened = ask(url, api_key, lambda client: client.post("/admin/accounts", {"name": name}))
    show(as_json, opened if as_json else {**opened["account"], "api_key": opened["api_key"]})


@app.command("list")
def list_(
    url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False
) -> None:
    """Lists every account."""
    accounts = ask_for_all(url, api_key, "/admin/accounts")
    columns = {"id": "id", "name": "name", "created": "created_at"}
    show_list(as_json, accounts, columns)


@app.command("show")
def show_account(
    account_id: AccountId,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Shows an account with its balance."""
    show(
        as_json,
        ask(url, api_key, lambda client: client.get(path_of("admin", "accounts", account_id))),
    )


@app.command()
def credit(
    account_id: AccountId,
    amount_usd: Annotated[str, typer.Argument(help="USD, such as 5.00")],
    reason: Annotated[str, typer.Option(help="Goes on the record.")],
    bucket: Annotated[str, typer.Option(help="purchased or allowance")] = "purchased",
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Gives an account credit and shows the ledger entry."""
    body = {"amount_usd": amount_usd, "reason": reason, "bucket": bucket}
    path = path_of("admin", "accounts", account_id, "credits")
    show(as_json, ask(url, api_key, lambda client: client.post(path, body)))
