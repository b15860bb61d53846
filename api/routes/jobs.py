"""Jobs: one by id, its result, its timeline, cancelling, and the list."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from api.answers import JOB_ID
from api.auth import Caller, Ports, authenticate, ports_of, require
from api.errors import error_response, failure_response
from api.frames import STILL_RUNNING
from api.histories import (
    History,
    content_of,
    folded,
    history_of,
    history_when_ended,
    moves,
    require_content,
)
from api.job_commands import carry_out
from api.paging import PageQuery
from api.ports import ApiPorts
from api.reads import answer
from domain.access.scopes import Scope
from domain.errors import Conflict, DomainError, InvalidRequest, NotFound, StoreUnavailable
from domain.event import Event, Recorded
from domain.inference.commands import RequestCancel
from domain.inference.events import Endpoint, JobCompleted
from domain.inference.state import Status
from domain.inference.timeline import timeline_object
from domain.inference.view import failure_of, job_object
from projections import queries
from projections.listing import position_of

SCOPES: tuple[Scope, ...] = ("jobs", "inference")
JobCaller = Annotated[Caller, require(*SCOPES)]
MAX_METADATA_FILTERS = 16
FILTERS = frozenset({"limit", "after", "order", "as_of", "status", "model", "endpoint"})

router = APIRouter(prefix="/v1/jobs", tags=["Jobs"])
_encode = msgspec.json.Encoder().encode


def _json(content: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(_encode(content), 200, headers, "application/json")


def _wait_seconds(request: Request, longest: float) -> float:
    """How long the caller would wait: `?wait=n`, else `Prefer: wait=n`, at most `longest`."""
    asked = request.query_params.get("wait")
    if asked is None:
        preferences = (p.strip() for p in request.headers.get("prefer", "").split(","))
        asked = next((p[5:] for p in preferences if p.lower().startswith("wait=")), None)
    if asked is None:
        return 0.0
    try:
        seconds = float(asked)
    except ValueError as error:
        raise InvalidRequest("wait is a number of seconds", param="wait") from error
    if not 0 <= seconds < float("inf"):
        raise InvalidRequest("wait is a number of seconds", param="wait")
    return min(seconds, longest)


async def get_job(request: Request) -> Response:
    """`GET /v1/jobs/{job_id}`; with `?wait=` it answers when the job has ended."""
    ports = ports_of(request)
    caller = authenticate(request, *SCOPES)
    wait = _wait_seconds(request, ports.limits.max_wait_seconds)
    job_id = request.path_params["job_id"]
    if wait:
        history = await history_when_ended(ports, caller, job_id, wait)
    else:
        history = await history_of(ports, caller.account_id, job_id)
    return _json(job_object(history))


@router.get("/{job_id}/result")
async def get_result(job_id: str, request: Request, caller: JobCaller, ports: Ports) -> Response:
    """The endpoint's own response body, or the failure's error and status."""
    job = folded(await history_of(ports, caller.account_id, job_id))
    if not job.is_ended:
        raise Conflict("the job has not finished", code="job_not_finished")
    require_content(job)
    if isinstance(job.ended, JobCompleted):
        if job.ended.output is None:
            raise NotFound("the answer was not kept", code="result_not_kept")
        plain = await content_of(ports, caller.account_id, job, job.ended.output)
        headers = {
            JOB_ID: job_id,
            "x-gatewayz-provider": job.ended.provider,
            "x-gatewayz-model": job.ended.model or job.accepted.model,
        }
        return Response(plain, 200, headers, "application/json")
    failure = failure_of(job)
    if failure is None:
        raise Conflict("the job was cancelled and has no result", code="job_cancelled")
    return error_response(request, failure.status_code, failure.code, failure.message)


@router.get("/{job_id}/events")
async def get_events(job_id: str, request: Request, caller: JobCaller, ports: Ports) -> Response:
    """The timeline: a list, or as server-sent events until the job has ended."""
    if "text/event-stream" not in request.headers.get("accept", ""):
        history = await history_of(ports, caller.account_id, job_id)
        return _json(_timeline(history))
    after = _resume_after(request)
    await history_of(ports, caller.account_id, job_id)
    return StreamingResponse(
        _told_to_the_end(request, _live(ports, caller, job_id, after)),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


def _timeline(history: History) -> dict[str, Any]:
    entries = [timeline_object(recorded) for recorded in history]
    return {
        "object": "list",
        "data": entries,
        "first_id": entries[0]["id"],
        "last_id": entries[-1]["id"],
        "has_more": False,
        "as_of": str(history[-1].position),
    }


def _resume_after(request: Request) -> int:
    return position_of(request.headers.get("last-event-id", "0"), param="Last-Event-ID")


async def _told_to_the_end(request: Request, frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The frames; what breaks them off becomes the last one."""
    try:
        async for frame in frames:
            yield frame
    except (DomainError, StoreUnavailable) as error:
        yield b"event: error\ndata: " + bytes(failure_response(request, error).body) + b"\n\n"


async def _live(ports: ApiPorts, caller: Caller, job_id: str, after: int) -> AsyncIterator[bytes]:
    """The events after a position, as they come, up to and including the terminal one."""
    async with ports.watch.watching(job_id) as moved:
        while True:
            moved.clear()
            history = await history_of(ports, caller.account_id, job_id)
            for recorded in history:
                if recorded.position > after:
                    yield _frame(recorded)
            after = max(after, history[-1].position)
            if folded(history).is_ended:
                return
            if not await moves(ports, caller, moved, ports.limits.heartbeat_seconds):
                yield STILL_RUNNING


def _frame(recorded: Recorded[Event]) -> bytes:
    data = _encode(timeline_object(recorded))
    head = f"id: {recorded.position}\nevent: {recorded.event.event_name}\ndata: "
    return head.encode() + data + b"\n\n"


@router.post("/{job_id}/cancel")
async def cancel(job_id: str, caller: JobCaller, ports: Ports) -> Response:
    """Stops the job: at once when it waits, as soon as its call is closed when it runs."""
    history = await history_of(ports, caller.account_id, job_id)
    await carry_out(ports, caller, history, RequestCancel())
    return _json(job_object(await history_of(ports, caller.account_id, job_id)))


@router.get("")
async def list_jobs(
    request: Request,
    caller: JobCaller,
    ports: Ports,
    page: PageQuery,
    status: Status | None = None,
    model: Annotated[str | None, Query(max_length=200)] = None,
    endpoint: Endpoint | None = None,
) -> dict[str, Any]:
    """The account's jobs; `metadata.<key>=<value>` filters by metadata."""
    query = queries.list_jobs(
        caller.account_id,
        page,
        status=status,
        model=model,
        endpoint=endpoint,
        metadata=_metadata_filters(request),
    )
    return await answer(ports, query, page)


def _metadata_filters(request: Request) -> dict[str, str]:
    metadata: dict[str, str] = {}
    for name, value in request.query_params.items():
        if name.startswith("metadata."):
            metadata[name.removeprefix("metadata.")] = value
        elif name not in FILTERS:
            raise InvalidRequest(f"unknown query parameter {name[:80]!r}", param=name[:80])
    if len(metadata) > MAX_METADATA_FILTERS:
        raise InvalidRequest(f"at most {MAX_METADATA_FILTERS} metadata filters", param="metadata")
    return metadata
