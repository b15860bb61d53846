"""A stream that is waited for whole: it shows that it stands, and is sent when it is there."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.answers import EVENT_STREAM, STREAM_HEADERS
from api.errors import failure_response
from api.frames import frames, last_frame, sign_of_life
from domain.inference.events import Endpoint

_decode = msgspec.json.Decoder(dict[str, Any]).decode


async def waited(
    request: Request,
    endpoint: Endpoint,
    making: Coroutine[Any, Any, Response],
    silence_seconds: float,
    headers: Mapping[str, str],
) -> Response:
    """The reply that is made, if it is soon; else one that waits for it, with these headers."""
    task = asyncio.create_task(making)
    try:
        await asyncio.wait((task,), timeout=silence_seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.done():
        return task.result()
    parts = _parts(request, endpoint, task, silence_seconds)
    return StreamingResponse(parts, 200, {**STREAM_HEADERS, **headers}, EVENT_STREAM)


async def _parts(
    request: Request, endpoint: Endpoint, making: asyncio.Task[Response], silence_seconds: float
) -> AsyncIterator[bytes]:
    try:
        while not making.done():
            yield sign_of_life(endpoint)
            await asyncio.wait((making,), timeout=silence_seconds)
        try:
            response = making.result()
        except Exception as error:  # noqa: BLE001 - as every failure of a route
            response = failure_response(request, error)
        yield _told(endpoint, response)
    finally:
        making.cancel()


def _told(endpoint: Endpoint, response: Response) -> bytes:
    """The stream that was made, or why there is none as its last words."""
    content = bytes(response.body)
    if response.status_code == 200 or not content:
        return content
    body = _decode(content)
    if endpoint == "/v1/responses":
        why = {name: body["error"].get(name) for name in ("code", "message", "param")}
        body = {"type": "error", **why, "sequence_number": 0}
    return frames(endpoint, [body]) + last_frame(endpoint)
