"""What every request has: an id, a bounded body, and the headers that go back."""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.errors import TooLarge
from domain.ids import Kind
from domain.ports.clock import Ids

REQUEST_ID = "gatewayz.request_id"


def request_id_of(request: Request) -> str:
    """The id of this request, as in its `x-request-id` reply header."""
    request_id: str = request.scope.get(REQUEST_ID, "")
    return request_id


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
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)


class BodyLimit:
    """Refuses bodies beyond the limit while they arrive."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = 0

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > self._max_bytes:
                    raise TooLarge(f"the body is larger than {self._max_bytes} bytes")
            return message

        await self._app(scope, receive_bounded, send)
