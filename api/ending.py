"""Requests that the end of the server cuts off: they get an answer, and may be sent again.

A server that is told to end waits for its requests, and cancels those that take too long: waits
for a job, or whatever waits for an event store that is away.
"""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import failure_response
from domain.errors import Unavailable


class AnsweredAtTheEnd:
    """Answers a cancelled request with a 503, unless its reply has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except asyncio.CancelledError:
            # Nobody else cancels it: a client that leaves is told to the application.
            if has_begun:
                raise
            ending = Unavailable("this node is ending; please try again")
            await failure_response(Request(scope), ending)(scope, receive, send)
