"""`gatewayz webhooks`: endpoints, their secrets, and deliveries."""

from typing import Annotated, Any

import typer

from infra.cli.common import (
    DEFAULT_URL,
    ApiKeyOption,
    JsonOption,
    LimitOption,
    UrlOption,
    ask,
    path_of,
)
from infra.cli.output import Column, show, show_list

app = typer.Typer(help="Webhook endpoints and deliveries (scope webhooks).", no_args_is_help=True)
PATH = "/v1/webhook_endpoints"
EndpointId = Annotated[str, typer.Argument(help="whe_…")]
DeliveryId = Annotated[str, typer.Argument(help="whd_…")]
ENDPOINT_COLUMNS: dict[str, Column] = {
    "id": "id",
    "url": "url",
    "types": "event_types",
    "payload": "payload",
    "enabled": "enabled",
}
DELIVERY_COLUMNS: dict[str, Column] = {
    "id": "id",
    "event": "event_id",
    "url": "url",
    "status": "status",
    "attempts": lambda delivery: len(delivery["attempts"]),
    "next attempt": "next_attempt_at",
}


@app.command()
def create(
    endpoint_url: Annotated[str, typer.Argument(help="Where to call.")],
    event_type: Annotated[list[str] | None, typer.Option(help="Repeat; all without it.")] = None,
    name: Annotated[str, typer.Option(help="For you alone.")] = "",
    payload: Annotated[str, typer.Option(help="full or thin")] = "full",
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Registers an endpoint and shows its signing secret, this once."""
    types = event_type or ["*"]
    body = {"url": endpoint_url, "event_types": types, "name": name, "payload": payload}
    show(as_json, ask(url, api_key, lambda client: client.post(PATH, body)))


@app.command("list")
def list_(
    limit: LimitOption = 20,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lists the endpoints, newest first."""
    listed = ask(url, api_key, lambda client: client.get(PATH, limit=limit))
    show_list(as_json, listed["data"], ENDPOINT_COLUMNS)


@app.command()
def enable(
    endpoint_id: EndpointId,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Turns an endpoint on again."""
    _post(_endpoint(endpoint_id), {"enabled": True}, url, api_key, as_json)


@app.command()
def delete(
    endpoint_id: EndpointId,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Removes an endpoint."""
    reply = ask(url, api_key, lambda client: client.send("DELETE", _endpoint(endpoint_id)))
    show(as_json, reply.body)


@app.command()
def secret(
    url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False
) -> None:
    """Shows the secret that signs the webhooks of single jobs."""
    show(as_json, ask(url, api_key, lambda client: client.get(f"{PATH}/default/secret")))


@app.command("rotate-secret")
def rotate_secret(
    endpoint_id: Annotated[str, typer.Argument(help="whe_…, or default")] = "default",
    overlap_seconds: Annotated[int, typer.Option(help="Both secrets sign for so long.")] = 0,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Makes a new signing secret and shows it."""
    body = {"overlap_seconds": overlap_seconds}
    _post(_endpoint(endpoint_id, "rotate_secret"), body, url, api_key, as_json)


@app.command("test")
def ping(
    endpoint_id: EndpointId,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sends a signed test message and shows what came back."""
    _post(_endpoint(endpoint_id, "test"), None, url, api_key, as_json)


@app.command()
def replay(
    endpoint_id: EndpointId,
    since: Annotated[float, typer.Option(help="Unix seconds.")],
    until: Annotated[float | None, typer.Option(help="Unix seconds.")] = None,
    after: Annotated[
        int | None, typer.Option(help="Go on from here: `next_after` of the answer before.")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delivers the events of a time again, at most 1,000 a call; `has_more` says to go on."""
    wanted = {"since": since, "until": until, "after": after}
    body = {name: value for name, value in wanted.items() if value is not None}
    _post(_endpoint(endpoint_id, "replay"), body, url, api_key, as_json)


@app.command()
def deliveries(
    status: Annotated[str | None, typer.Option(help="pending, delivered, failed, …")] = None,
    job: Annotated[str | None, typer.Option(help="job_…")] = None,
    limit: LimitOption = 20,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lists deliveries with their attempts, newest first."""
    query = {"status": status, "job_id": job, "limit": limit}
    listed = ask(url, api_key, lambda client: client.get("/v1/webhook_deliveries", **query))
    show_list(as_json, listed["data"], DELIVERY_COLUMNS)


@app.command()
def redeliver(
    delivery_id: DeliveryId,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Makes a delivery again, under the same message id."""
    path = path_of("v1", "webhook_deliveries", delivery_id, "redeliver")
    show(as_json, ask(url, api_key, lambda client: client.post(path)))


def _endpoint(*segments: str) -> str:
    return path_of("v1", "webhook_endpoints", *segments)


def _post(
    path: str, body: dict[str, Any] | None, url: str, api_key: str | None, as_json: bool
) -> None:
    show(as_json, ask(url, api_key, lambda client: client.post(path, body)))
