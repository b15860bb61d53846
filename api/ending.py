"""Where every request comes in: it gets an id and bounds, and an answer even at the end.

A server that is told to end waits for its requests. Answers that are being made get the time that
running jobs get; what only waits (for a job, for the next event of a timeline) is cut off sooner,
and so is whatever takes too long: waits for an event store that is away.
"""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import ending_response
from api.exchange import Arriving, Exchange
from api.ports import ApiLimits
from api.requests import REQUEST_ID
from domain.ids import Kind
from domain.inference.events import ENDPOINTS
from domain.ports.clock import Ids

_MAKES_AN_ANSWER = frozenset(ENDPOINTS)


class Application:
    """The application, which can be told that the end is near.

    A request that is cancelled is answered with a 503, unless its reply has begun; it may be sent
    again.
    """

    def __init__(self, app: ASGIApp, ids: Ids, limits: ApiLimits) -> None:
        self._app = app
        self._ids = ids
        self._limits = limits
        self._arriving = Arriving(limits.body_seconds)
        # Requests that are not for an answer of a provider.
        self._waits: set[asyncio.Task[object]] = set()

    def end_waits(self) -> None:
        """Cuts off what makes no answer."""
        for task in self._waits:
            task.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] in _MAKES_AN_ANSWER:
            await self._exchanged(scope, receive, send)
        else:
            task = asyncio.current_task()
            if task is not None:
                self._waits.add(task)
            try:
                await self._exchanged(scope, receive, send)
            finally:
                if task is not None:
                    self._waits.discard(task)

    async def _exchanged(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[REQUEST_ID] = self._ids.new(Kind.REQUEST)
        exchange = Exchange(scope, receive, send, self._limits)
        if exchange.is_unread:
            self._arriving.add(exchange)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            # Nobody else cancels it: a client that leaves is told to the application.
            if exchange.has_begun:
                raise
            exchange.is_unread = False  # there is no time to let the rest of a body in
            await ending_response(Request(scope))(scope, receive, exchange.send)
        finally:
            self._arriving.remove(exchange)
