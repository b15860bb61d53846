"""The hot routes: the endpoints that carry the load and do not pay for the rest.

A request that matches goes straight to its endpoint; every other one goes on to the FastAPI
application, whose router knows them as well. Errors come out the same on both ways
(decision 0007).
"""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import failure_response

Endpoint = Callable[[Request], Awaitable[Response]]
COLLECTION = "/v1/jobs"
MEMBER = "/v1/jobs/"


class HotRoutes:
    """What is posted to the paths in `posts`, and `GET /v1/jobs/{job_id}`, in front of `rest`."""

    def __init__(
        self, app: FastAPI, rest: ASGIApp, posts: Mapping[str, Endpoint], get: Endpoint
    ) -> None:
        self._app = app
        self._rest = rest
        self._posts = posts
        self._get = get

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        endpoint = self._match(scope)
        if endpoint is None:
            return self._rest(scope, receive, send)
        scope["app"] = self._app
        return self._answer(endpoint, scope, receive, send)

    async def _answer(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await endpoint(request)
        except Exception as error:  # noqa: BLE001 - the HTTP error handler
            response = failure_response(request, error)
        await response(scope, receive, send)

    def _match(self, scope: Scope) -> Endpoint | None:
        if scope["type"] != "http":
            return None
        path: str = scope["path"]
        if scope["method"] == "POST":
            return self._posts.get(path)
        if scope["method"] == "GET" and path.startswith(MEMBER):
            job_id = path[len(MEMBER) :]
            if "/" not in job_id:
                scope["path_params"] = {"job_id": job_id}
                return self._get
        return None
