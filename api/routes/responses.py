"""Responses that are kept: made in the background, read and streamed again, cancelled, deleted."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.admission import Asked
from api.answers import JOB_ID
from api.auth import Caller, Ports, authenticate, ports_of, require
from api.continuing import continued
from api.histories import folded, history_when_ended, require_content
from api.idempotency import REPLAYED, idempotency_key
from api.inference_bodies import metadata_of
from api.interactive import object_of, serve_body
from api.job_commands import carry_out
from api.paging import SliceQuery
from api.ports import ApiPorts
from api.response_objects import (
    asked_of,
    head_for,
    history_once_kept,
    input_items,
    response_history,
    response_of,
)
from api.response_streams import StreamedResponse
from api.submission import submit
from domain.access.scopes import Scope
from domain.dialects.responses.words import unsupported
from domain.errors import Conflict, InvalidRequest
from domain.inference.commands import DeleteContent, RequestCancel
from domain.inference.content import discard_content
from domain.inference.events import Endpoint

PATH: Endpoint = "/v1/responses"
SCOPES: tuple[Scope, ...] = ("inference", "jobs")
ResponseCaller = Annotated[Caller, require(*SCOPES)]
# How long a cancellation waits for the running call to be closed.
CANCEL_SECONDS = 5.0

router = APIRouter(prefix=PATH, tags=["Responses"])
_encode = msgspec.json.Encoder().encode


async def create_response(request: Request) -> Response:
    """`POST /v1/responses`: answered at once, or with `background` as a job in the queue."""
    caller = authenticate(request, "inference")
    body = await object_of(request)
    if body.get("background") is not True:
        return await serve_body(request, caller, PATH, body)
    key = idempotency_key(request.headers.get("idempotency-key"))
    ports = ports_of(request)
    document = {"endpoint": PATH, "body": body}
    history, is_new = await submit(
        ports, caller, document, key, partial(_asked, ports, caller, body)
    )
    if not is_new:
        require_content(folded(history))
    if body.get("stream") is True:
        return StreamedResponse(request, caller, history, -1)
    headers = {JOB_ID: history[0].stream, **({} if is_new else REPLAYED)}
    return _json(await response_of(ports, caller.account_id, history), headers)


async def _asked(ports: ApiPorts, caller: Caller, body: dict[str, Any]) -> Asked:
    return _background(await continued(ports, caller, body))


def _background(body: dict[str, Any]) -> Asked:
    if body.get("store") is False:
        raise InvalidRequest("a response in the background must be stored", param="store")
    options = body.get("background_options")
    if isinstance(options, dict) and options.get("completion_window") not in (None, "soonest"):
        raise unsupported("background_options", "only the window 'soonest' is to be had here")
    return Asked(
        endpoint=PATH,
        body=body,
        metadata=metadata_of(PATH, body),
        stream=body.get("stream") is True,
        told_as="response",
    )


def _json(content: Any, headers: Mapping[str, str] | None = None) -> Response:
    return Response(_encode(content), 200, headers, "application/json")


@router.get("/{response_id}")
async def get_response(
    response_id: str,
    request: Request,
    caller: ResponseCaller,
    ports: Ports,
    *,
    stream: bool = False,
    starting_after: Annotated[int, Query(ge=-1, le=2**31)] = -1,
) -> Response:
    """The response as it stands; with `stream` its events after a number, to the end."""
    history = await response_history(ports, caller.account_id, response_id)
    if stream:
        return StreamedResponse(request, caller, history, starting_after)
    return _json(await response_of(ports, caller.account_id, history))


@router.post("/{response_id}/cancel")
async def cancel_response(response_id: str, caller: ResponseCaller, ports: Ports) -> Response:
    """Stops a response in the background; one that has ended stays as it is."""
    history = await response_history(ports, caller.account_id, response_id)
    job = folded(history)
    if job.accepted.on_disconnect is not None:
        raise InvalidRequest("only a response in the background can be cancelled")
    try:
        await carry_out(ports, caller, history, RequestCancel())
    except Conflict:  # it has ended
        history = await response_history(ports, caller.account_id, response_id)
    else:
        history = await history_when_ended(ports, caller, job.job_id, CANCEL_SECONDS)
    return _json(await response_of(ports, caller.account_id, history))


@router.delete("/{response_id}")
async def delete_response(response_id: str, caller: ResponseCaller, ports: Ports) -> dict[str, Any]:
    """Deletes what was asked and answered, for good; 409 while the response is being made.

    What remains are the facts: when, by which model, at what price. A second time changes nothing.
    """
    history = await history_once_kept(ports, caller.account_id, response_id)
    await carry_out(ports, caller, history, DeleteContent())
    # After the event, so that nothing is found half: whoever gets no answer deletes again.
    job = folded(await history_once_kept(ports, caller.account_id, response_id))
    await discard_content(job, ports.payloads, ports.streams)
    return {"id": response_id, "object": "response", "deleted": True}


@router.get("/{response_id}/input_items")
async def list_input_items(
    response_id: str,
    caller: ResponseCaller,
    ports: Ports,
    part: SliceQuery,
) -> dict[str, Any]:
    """What the response was made from, with what it goes on with; the newest item first."""
    history = await response_history(ports, caller.account_id, response_id)
    asked = await asked_of(ports, caller.account_id, folded(history))
    return part.of(input_items(asked, head_for(history)))
