"""Requests that the end of the server cuts off: they get an answer, and may be sent again.

A server that is told to end waits for its requests. Answers that are being made get the time that
running jobs get; what only waits (for a job, for the next event of a timeline) is cut off sooner,
and so is whatever takes too long: waits for an event store that is away.
"""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import failure_response
from domain.errors import Unavailable
from domain.inference.events import ENDPOINTS

_MAKES_AN_ANSWER = frozenset(ENDPOINTS)


class AnsweredAtTheEnd:
    """Answers a cancelled request with a 503, unless its reply has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # Requests that are not for an answer of a provider.
        self._waits: set[asyncio.Task[object]] = set()

    def end_waits(self) -> None:
        """Cuts off what makes no answer."""
        for task in self._waits:
            task.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        task = asyncio.current_task()
        if task is not None and scope["path"] not in _MAKES_AN_ANSWER:
            self._waits.add(task)
        try:
            await self._answered(scope, receive, send)
        finally:
            if task is not None:
                self._waits.discard(task)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
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


class Application:
    """The application, which can be told that the end is near."""

    def __init__(self, app: ASGIApp, ending: AnsweredAtTheEnd) -> None:
        self._app = app
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def end_waits(self) -> None:
        """See `AnsweredAtTheEnd.end_waits`."""
        self._ending.end_waits()
