"""`gatewayz jobs`: submitting, watching, reading and cancelling jobs."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from infra.cli.common import (
    DEFAULT_URL,
    EXIT_REFUSED,
    ApiKeyOption,
    JsonOption,
    LimitOption,
    UrlOption,
    ask,
    path_of,
)
from infra.cli.job_input import job_request, pairs
from infra.cli.output import console, echo_json, show, show_list, time_of

if TYPE_CHECKING:
    from infra.client import Client

app = typer.Typer(
    help="Asynchronous inference jobs (scope jobs or inference).", no_args_is_help=True
)
JobId = Annotated[str, typer.Argument(help="job_…")]
ENDED = frozenset({"succeeded", "failed", "cancelled", "expired"})
LONG_POLL_SECONDS = 30
COLUMNS = {
    "id": "id",
    "status": "status",
    "model": "model",
    "created": "created_at",
    "attempts": "attempts",
    "cost USD": "cost_usd",
}
# What the timeline says of an event beside its name.
TOLD = ("provider", "hold_usd", "attempt", "failure", "usage", "cost_usd", "finish_reason")


@app.command()
def submit(  # noqa: PLR0913, PLR0917 - each is an option of the command
    prompt: Annotated[str | None, typer.Argument(help="The text of a chat message.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="The request body as JSON; - is standard input.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="See `gatewayz models`.")] = None,
    webhook: Annotated[str | None, typer.Option(help="A URL to call when it has ended.")] = None,
    metadata: Annotated[list[str] | None, typer.Option(help="key=value; repeat.")] = None,
    lane: Annotated[str, typer.Option(help="interactive, standard or batch")] = "standard",
    deadline: Annotated[str | None, typer.Option(help="From now, such as 15m.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key and input make the same job.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Waits and shows the result.")] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Submits a job; with --wait shows its result and exits 1 unless it succeeded."""
    request = job_request(prompt, file, model) | {"lane": lane}
    request |= _optional(webhook, metadata, deadline)
    headers = {} if idempotency_key is None else {"idempotency-key": idempotency_key}
    job = ask(url, api_key, lambda client: _submitted(client, request, headers, wait))
    if wait and job["status"] == "succeeded":
        result(job["id"], url, api_key, as_json)
        return
    show(as_json, job)
    if wait:
        raise typer.Exit(EXIT_REFUSED)


@app.command("list")
def list_(
    status: Annotated[str | None, typer.Option(help="queued, running, succeeded, …")] = None,
    metadata: Annotated[list[str] | None, typer.Option(help="key=value; repeat.")] = None,
    limit: LimitOption = 20,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lists jobs, newest first."""
    wanted = {f"metadata.{name}": value for name, value in pairs(metadata or []).items()}
    query: dict[str, str | int | None] = {"status": status, "limit": limit, **wanted}
    listed = ask(url, api_key, lambda client: client.get("/v1/jobs", **query))
    show_list(as_json, listed["data"], COLUMNS)


@app.command("show")
def show_job(
    job_id: JobId,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Shows a job."""
    show(as_json, ask(url, api_key, lambda client: client.get(path_of("v1", "jobs", job_id))))


@app.command()
def result(
    job_id: JobId,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Shows the answer: a chat's text, with --json the endpoint's whole response body."""
    body = ask(url, api_key, lambda client: client.get(path_of("v1", "jobs", job_id, "result")))
    texts = [choice["message"].get("content") for choice in body.get("choices", ())]
    if as_json or not texts:
        echo_json(body)
    else:
        typer.echo("\n\n".join(text or "" for text in texts))


@app.command()
def watch(
    job_id: JobId,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follows a job's timeline until it has ended; survives a restart of the engine."""
    out = console()

    async def follow(client: "Client") -> None:
        begun: float | None = None
        async for entry in client.timeline(job_id):
            begun = entry["created_at"] if begun is None else begun
            if as_json:
                echo_json(entry)
            else:
                out.print(_timeline_line(entry, entry["created_at"] - begun))

    ask(url, api_key, follow)


@app.command()
def cancel(
    job_id: JobId,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stops a job; it costs nothing."""
    show(
        as_json,
        ask(url, api_key, lambda client: client.post(path_of("v1", "jobs", job_id, "cancel"))),
    )


def _optional(
    webhook: str | None, metadata: list[str] | None, deadline: str | None
) -> dict[str, Any]:
    """The fields of a submission that were given."""
    fields = {
        "webhook": None if webhook is None else {"url": webhook},
        "metadata": pairs(metadata or []),
        "deadline": deadline,
    }
    return {name: value for name, value in fields.items() if value}


async def _submitted(
    client: "Client", request: Mapping[str, Any], headers: Mapping[str, str], wait: bool
) -> Mapping[str, Any]:
    """The job as accepted, or as it ended."""
    reply = await client.send("POST", "/v1/jobs", body=request, headers=headers)
    job: Mapping[str, Any] = reply.body
    while wait and job["status"] not in ENDED:
        job = await client.get(f"/v1/jobs/{job['id']}", wait=LONG_POLL_SECONDS)
    return job


def _timeline_line(entry: Mapping[str, Any], after: float) -> Text:
    told = {name: entry["data"][name] for name in TOLD if entry["data"].get(name) is not None}
    detail = "  ".join(f"{name}={_short(value)}" for name, value in told.items())
    head = f"{time_of(entry['created_at'])} +{after:7.3f} s  "
    return Text.assemble(head, (entry["type"], "bold"), f"  {detail}")


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(str(one) for one in value.values() if one is not None)
    return str(value)
