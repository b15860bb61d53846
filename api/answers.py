"""The replies of the drop-in routes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from api.errors import error_response
from api.frames import frames, last_frame
from domain.dialects.surface import Head
from domain.dialects.surfaces import SURFACES
from domain.inference.events import Failure, JobAccepted, JobCompleted, OfferRef
from domain.inference.serving import served
from domain.money import picodollars_to_usd

NONE: Mapping[str, str] = {}
JOB_ID = "x-gatewayz-job-id"
EVENT_STREAM = "text/event-stream; charset=utf-8"
# Nothing between us and the client is to keep a stream back.
STREAM_HEADERS: Mapping[str, str] = {"cache-control": "no-store", "x-accel-buffering": "no"}
# Clients refuse a longer header, and the answer with it.
NAMES_LENGTH = 1000


def answered(
    accepted: JobAccepted, completed: JobCompleted, content: bytes, extra: Mapping[str, str] = NONE
) -> Response:
    """A whole answer."""
    return _Whole(content, {**completion_headers(accepted, completed), **extra})


class _Whole(Response):
    """A whole answer as it goes out.

    Starlette would first look through the headers for what is known not to be among them.
    """

    def __init__(self, content: bytes, headers: Mapping[str, str]) -> None:
        self.body, self.status_code, self.background = content, 200, None
        self.raw_headers = [
            (name.encode(), told.encode("latin-1")) for name, told in headers.items()
        ]
        self.raw_headers.append((b"content-length", b"%d" % len(content)))
        self.raw_headers.append((b"content-type", b"application/json"))


def streamed_whole(
    accepted: JobAccepted,
    completed: JobCompleted,
    request: Mapping[str, Any],
    head: Head,
    body: dict[str, Any],
    extra: Mapping[str, str] = NONE,
) -> Response:
    """A finished answer as the stream that was asked for."""
    headers = {**STREAM_HEADERS, **completion_headers(accepted, completed), **extra}
    content = whole_stream(accepted, completed, request, head, body)
    return Response(content, 200, headers, EVENT_STREAM)


def whole_stream(
    accepted: JobAccepted,
    completed: JobCompleted,
    request: Mapping[str, Any],
    head: Head,
    body: dict[str, Any],
) -> bytes:
    """The events of a finished answer, from the first to the last."""
    surface, endpoint = SURFACES[accepted.endpoint], accepted.endpoint
    model = completed.model or accepted.model
    outgoing = surface.outgoing(request, replace(head, model=model))
    deltas = [*outgoing.opening()]
    deltas.extend(one for delta in surface.replayed(body) for one in outgoing.shown(delta))
    deltas.extend(outgoing.closing(completed.usage))
    return frames(endpoint, deltas) + last_frame(endpoint)


def refused(
    request: Request, job_id: str, failure: Failure, extra: Mapping[str, str] = NONE
) -> Response:
    """Why there is no answer."""
    response = error_response(request, failure.status_code, failure.code, failure.message)
    response.headers.update({JOB_ID: job_id, **extra})
    return response


def completion_headers(accepted: JobAccepted, completed: JobCompleted) -> dict[str, str]:
    """What the reply to a completed request says beside its body."""
    model = completed.model or accepted.model
    headers = _serving(accepted.job_id, completed.provider, model)
    headers["x-gatewayz-cost-usd"] = picodollars_to_usd(completed.cost_picodollars)
    if completed.dropped:
        headers["x-gatewayz-dropped-params"] = _names(completed.dropped)
    return headers


def _names(dropped: Sequence[str]) -> str:
    """Names of parameters, which are the caller's own words, as a header can hold them."""
    names = ",".join(quote(name, safe="[]$") for name in dropped)
    return names if len(names) <= NAMES_LENGTH else names[:NAMES_LENGTH] + "..."


def serving_headers(accepted: JobAccepted, offer: OfferRef) -> dict[str, str]:
    """Which job it is, and who serves it."""
    return _serving(accepted.job_id, offer.provider, served(accepted, offer).model)


def _serving(job_id: str, provider: str, model: str) -> dict[str, str]:
    return {JOB_ID: job_id, "x-gatewayz-provider": provider, "x-gatewayz-model": model}
