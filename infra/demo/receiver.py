"""The demo's webhook receiver: it verifies every signature and remembers what it was told."""

import asyncio
import json
from collections import Counter
from typing import Self

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError


class Receiver:
    """`async with Receiver() as receiver:` listens on a free loopback port.

    `messages` counts how often each message id came, `told` names the message ids of each job.
    """

    def __init__(self) -> None:
        self.messages: Counter[str] = Counter()
        self.told: dict[str, set[str]] = {}
        self.rejected = 0
        self._verifier: Webhook | None = None
        self._arrived = asyncio.Condition()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/webhooks", self._receive)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/webhooks"

    def verify_with(self, secret: str) -> None:
        """Accepts what is signed with `secret`, and nothing before this is called."""
        self._verifier = Webhook(secret)

    async def told_of(self, jobs: int) -> None:
        """Returns once messages about that many jobs have come."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.told) >= jobs)

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not self._is_signed(body, request):
            self.rejected += 1
            return web.Response(status=401)
        message = json.loads(body)
        async with self._arrived:
            self.messages[message["id"]] += 1
            self.told.setdefault(message["data"]["id"], set()).add(message["id"])
            self._arrived.notify_all()
        return web.Response(status=204)

    def _is_signed(self, body: bytes, request: web.Request) -> bool:
        if self._verifier is None:
            return False
        try:
            self._verifier.verify(body, dict(request.headers))
        except WebhookVerificationError:
            return False
        return True
