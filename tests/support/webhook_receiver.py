"""A real webhook receiver on a free loopback port, which records what it gets."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web
from standardwebhooks import Webhook


@dataclass(frozen=True)
class Received:
    """One POST as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    def is_signed_with(self, secret: str) -> bool:
        """Whether the reference library accepts the signature. Raises its error when not."""
        Webhook(secret).verify(self.body, self.headers)
        return True


@dataclass
class Reply:
    """What the receiver answers."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


class WebhookReceiver:
    """`async with WebhookReceiver() as receiver:`; it answers 200 unless told otherwise.

    `receiver.answer(Reply(500), Reply(200))` sets the next answers in turn; `await
    receiver.count(2)` returns once two messages have come.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.most_at_once = 0
        self._open = 0
        self._replies: deque[Reply] = deque()
        self._default = Reply()
        self._arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._receive)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def answer(self, *replies: Reply) -> None:
        """Sets the next answers, one a request."""
        self._replies.extend(replies)

    def always(self, reply: Reply) -> None:
        """Sets the answer to every request beyond those of `answer`."""
        self._default = reply

    async def count(self, number: int, timeout: float = 5) -> list[Received]:
        """Waits until `number` messages have come."""
        async with asyncio.timeout(timeout), self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= number)
        return self.received

    async def _receive(self, request: web.Request) -> web.Response:
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            return await self._answered(request)
        finally:
            self._open -= 1

    async def _answered(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        reply = self._replies.popleft() if self._replies else self._default
        async with self._arrived:
            self.received.append(Received(request.path_qs, headers, body))
            self._arrived.notify_all()
        await asyncio.sleep(reply.delay)
        return web.Response(status=reply.status, headers=reply.headers)
