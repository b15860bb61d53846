"""Any provider's routes on a real loopback port, answering by script and remembering every byte.

async with ScriptedUpstream() as upstream:
    upstream.script(sending(content, "application/json"))
    ... call upstream.base_url ...
    assert upstream.requests[0].json()["model"] == "alpha"
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass(frozen=True)
class Sent:
    """One request: the path as it stood on the wire, the headers in lower case, the bytes."""

    path: str
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.content)
        return body


Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


def sending(
    content: bytes | Mapping[str, Any],
    content_type: str = "application/json",
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    portion: int | None = None,
    cut: bool = False,
) -> Answering:
    """Exactly these bytes, in portions of so many; `cut` breaks the connection at their end."""
    told = content if isinstance(content, bytes) else json.dumps(content).encode()

    async def answer(request: web.Request) -> web.StreamResponse:
        sent = {"content-type": content_type, **(headers or {})}
        response = web.StreamResponse(status=status, headers=sent)
        await response.prepare(request)
        size = portion or len(told) or 1
        for start in range(0, len(told), size):
            await response.write(told[start : start + size])
            if portion:
                await asyncio.sleep(0)
        if cut and request.transport is not None:
            request.transport.abort()
        else:
            await response.write_eof()
        return response

    return answer


@dataclass
class ScriptedUpstream:
    """The server; each request takes the next answer of the script."""

    requests: list[Sent] = field(default_factory=list)
    base_url: str = ""
    _answers: deque[Answering] = field(default_factory=deque)
    _runner: web.AppRunner | None = None

    def script(self, *answers: Answering) -> None:
        """Adds answers, one for each of the next requests."""
        self._answers.extend(answers)

    def forget(self) -> None:
        """Begins anew: nothing was asked, nothing is scripted."""
        self.requests.clear()
        self._answers.clear()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Sent(request.raw_path, headers, await request.read()))
        return await self._answers.popleft()(request)
