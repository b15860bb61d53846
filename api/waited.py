"""A stream that is waited for whole: it shows that it stands, and is sent when it is there."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.answers import EVENT_STREAM, STREAM_HEADERS
from api.client import client_of
from api.errors import ending_response, failure_response
from api.frames import frames, last_frame, part, sign_of_life
from api.wire_errors import error_event
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
    return _Waited(request, endpoint, task, silence_seconds, headers)


class _Waited(StreamingResponse):
    """A reply that is still being made, as a stream that shows that it stands."""

    def __init__(
        self,
        request: Request,
        endpoint: Endpoint,
        making: asyncio.Task[Response],
        silence_seconds: float,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__((), 200, {**STREAM_HEADERS, **headers}, EVENT_STREAM)
        self._request, self._endpoint = request, endpoint
        self._making = making
        self._silence_seconds = silence_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        making, client = self._making, client_of(self._request)
        client.when_gone(making.cancel)
        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            response = await self._waiting(send)
            if response is not None:
                await send(part(_told(self._endpoint, response), last=True))
        except asyncio.CancelledError:  # by the server, which ends (`api/ending.py`)
            await send(part(_told(self._endpoint, ending_response(self._request)), last=True))
        finally:
            client.forget(making.cancel)
            making.cancel()

    async def _waiting(self, send: Send) -> Response | None:
        """The reply once it is made; None when its client left before."""
        making = self._making
        while not making.done():
            await send(part(sign_of_life(self._endpoint)))
            await asyncio.wait((making,), timeout=self._silence_seconds)
        if making.cancelled():
            return None
        try:
            return making.result()
        except Exception as error:  # noqa: BLE001 - as every failure of a route
            return failure_response(self._request, error)


def _told(endpoint: Endpoint, response: Response) -> bytes:
    """The stream that was made, or why there is none as its last words."""
    content = bytes(response.body)
    if response.status_code == 200 or not content:
        return content
    body = _decode(content)
    if endpoint == "/v1/responses":
        body = error_event(body["error"], 0)
    return frames(endpoint, [body]) + last_frame(endpoint)
