"""What every request has: an id, a bounded body, and the headers that go back."""

import asyncio
from contextlib import suppress

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.ports import ApiLimits
from domain.errors import TooLarge
from domain.ids import Kind
from domain.inference.events import ENDPOINTS
from domain.ports.clock import Ids

REQUEST_ID = "gatewayz.request_id"
# The routes whose body may be large: prompts.
LARGE_BODIES = frozenset(
    {"/v1/jobs", *ENDPOINTS, "/v1/messages/count_tokens", "/v1/responses/input_tokens"}
)


def request_id_of(request: Request) -> str:
    """The id of this request, as in its `x-request-id` reply header."""
    request_id: str = request.scope.get(REQUEST_ID, "")
    return request_id


async def body_of(request: Request) -> bytes:
    """The whole body. Raises `ClientDisconnect` when the client leaves before its end."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


class RequestIds:
    """Gives each request an id and puts it on the reply."""

    def __init__(self, app: ASGIApp, ids: Ids) -> None:
        self._app = app
        self._ids = ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._ids.new(Kind.REQUEST)
        scope[REQUEST_ID] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        await self._app(scope, receive, send_with_id)


class BoundedBodies:
    """Refuses a body that is too large or too slow, while it arrives.

    A reply that goes out before the body was read to its end closes the connection.
    """

    def __init__(self, app: ASGIApp, limits: ApiLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        is_large = scope["method"] == "POST" and scope["path"] in LARGE_BODIES
        limits = self._limits
        max_bytes = limits.max_body_bytes if is_large else limits.max_small_body_bytes
        body = _Body(receive, send, max_bytes, limits)
        await self._app(scope, body.receive, body.send)


def _has_body(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return bool(value != b"0")
        if name == b"transfer-encoding":
            return True
    return False


class _Body:
    """One request's body on its way in, and the reply that may overtake it."""

    __slots__ = (
        "_answering",
        "_deadline",
        "_left",
        "_limits",
        "_max_bytes",
        "_receive",
        "_send",
        "_unread",
    )

    def __init__(self, receive: Receive, send: Send, max_bytes: int, limits: ApiLimits) -> None:
        self._receive = receive
        self._send = send
        self._max_bytes = self._left = max_bytes
        self._limits = limits
        self._deadline = asyncio.get_running_loop().time() + limits.body_seconds
        self._unread = True
        self._answering = False

    async def receive(self) -> Message:
        """The next message. Raises `TooLarge`, and `HTTPException` when the time is over."""
        if not self._unread:
            return await self._receive()
        if self._answering:
            return await self._next()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._next()
        except TimeoutError as error:
            raise HTTPException(408) from error
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise TooLarge(f"the body is larger than {self._max_bytes} bytes")
        return message

    async def send(self, message: Message) -> None:
        """Sends on; before the end of a reply that nothing more is read for, drains the body."""
        if not self._unread:
            await self._send(message)
        elif message["type"] == "http.response.start":
            self._answering = True
            message["headers"].append((b"connection", b"close"))
            await self._send(message)
        elif message.get("more_body", False):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._drain()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self) -> Message:
        message = await self._receive()
        self._unread = message.get("more_body", False)
        return message

    async def _drain(self) -> None:
        # A connection closed over unread bytes is reset, and the reply is lost with it.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.linger_seconds):
                while self._unread:
                    await self._next()


class Normalized:
    """Requests in the form that FastAPI's routes know: a HEAD is a GET, every body is JSON.

    The server knows the HEAD and sends no body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [header for header in scope["headers"] if header[0] != b"content-type"]
            headers.append((b"content-type", b"application/json"))
            method = "GET" if scope["method"] == "HEAD" else scope["method"]
            scope = {**scope, "method": method, "headers": headers}
        await self._app(scope, receive, send)
