"""What routes ask of a request: its id, whole body, a header, and the form that FastAPI knows."""

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

REQUEST_ID = "gatewayz.request_id"


def request_id_of(request: Request) -> str:
    """The id of this request, as in its `x-request-id` reply header."""
    request_id: str = request.scope.get(REQUEST_ID, "")
    return request_id


def header_of(request: Request, name: bytes) -> str | None:
    """The first header of this name, in lower case; `Request.headers` makes an object of all."""
    for one, value in request.scope["headers"]:
        if one == name:
            return str(value, "latin-1")
    return None


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
