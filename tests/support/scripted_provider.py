"""A provider on a real loopback port that answers by script and remembers what it saw.

    async with ScriptedProvider() as upstream:
        upstream.script(error(503), answer("hello"))     # one reply a request, in order
        ... call upstream.base_url ...
        assert upstream.requests[0].body["model"] == "alpha"

When the script is used up, `default` answers (a well-formed completion or embedding, streamed
when the request asks for it); `upstream.default = silence()` changes that for good.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


@dataclass
class Seen:
    """One request: what came, and whether the client hung up before the reply was sent.

    `peer` is the client's port, the same for all requests of one connection.
    """

    path: str
    peer: int
    headers: dict[str, str]
    body: dict[str, Any]
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    disconnected: bool = False


Reply = Callable[[web.Request, Seen], Awaitable[web.StreamResponse]]


def completion(text: str = "Hello there.", **changes: Any) -> dict[str, Any]:
    """The body of a chat completion."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "upstream-model",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": dict(USAGE),
        "system_fingerprint": "fp_upstream",
        "x_upstream": {"id": "internal"},
        **changes,
    }


def embedding(inputs: int = 1, **changes: Any) -> dict[str, Any]:
    """The body of an embeddings reply."""
    vectors = [
        {"object": "embedding", "index": i, "embedding": [0.1, 0.2, 0.3]} for i in range(inputs)
    ]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    body = {"object": "list", "model": "upstream-model", "data": vectors, "usage": usage}
    return {**body, **changes}


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0, **more: Any) -> str:
    """One streamed chunk as JSON text."""
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    head = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1_700_000_000}
    return json.dumps({**head, "model": "upstream-model", "choices": [choice], **more})


def words(text: str = "Hello there.") -> list[str]:
    """The chunks of an answer, one a word, ended by its finish reason and its usage."""
    head = chunk({"role": "assistant", "content": ""})
    body = [chunk({"content": part}) for part in text.split(" ") for part in (part, " ")][:-1]
    usage = json.dumps({"id": "chatcmpl-scripted", "choices": [], "usage": USAGE})
    return [head, *body, chunk({}, "stop"), usage]


def answer(text: str = "Hello there.", *, delay: float = 0.0, **changes: Any) -> Reply:
    """A complete answer after `delay` seconds, in the form that the request asks for."""

    async def reply(request: web.Request, seen: Seen) -> web.StreamResponse:
        await asyncio.sleep(delay)
        if seen.path.endswith("/embeddings"):
            inputs = seen.body.get("input")
            return web.json_response(embedding(len(inputs) if isinstance(inputs, list) else 1))
        if seen.body.get("stream"):
            return await stream(words(text))(request, seen)
        return web.json_response(completion(text, **changes))

    return reply


def whole(body: dict[str, Any] | bytes, *, status: int = 200, **headers: str) -> Reply:
    """Exactly this body, as JSON, or as HTML when it is bytes; `a_b="c"` sends header `a-b: c`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}

    async def reply(_request: web.Request, _seen: Seen) -> web.StreamResponse:
        if isinstance(body, bytes):
            return web.Response(body=body, status=status, content_type="text/html", headers=sent)
        return web.json_response(body, status=status, headers=sent)

    return reply


def error(
    status: int, *, code: str | None = None, message: str = "secret text", **headers: str
) -> Reply:
    """An error in OpenAI's shape; `retry_after="1"` sends that header."""
    body = {"error": {"message": message, "type": "upstream_error", "code": code, "param": None}}
    return whole(body, status=status, **headers)


def stream(
    chunks: Sequence[str],
    *,
    done: bool = True,
    gap: float = 0.0,
    delay: float = 0.0,
    cut: bool = False,
    hang: bool = False,
    prefix: str = "data: ",
    separator: str = "\n\n",
) -> Reply:
    """Server-sent events: headers, `delay`, then a chunk every `gap` seconds, then `[DONE]`.

    `cut` breaks the connection where the end would be, `hang` keeps it open in silence.
    """

    async def reply(request: web.Request, _seen: Seen) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.sleep(delay)
        for text in (*chunks, *(["[DONE]"] if done else [])):
            await response.write(f"{prefix}{text}{separator}".encode())
            await asyncio.sleep(gap)
        if hang:
            await _for_ever()
        if cut:
            _break(request)
        else:
            await response.write_eof()
        return response

    return reply


def silence() -> Reply:
    """The request is taken and nothing ever comes."""

    async def reply(_request: web.Request, _seen: Seen) -> web.StreamResponse:
        await _for_ever()
        raise AssertionError

    return reply


def hang_up() -> Reply:
    """The connection breaks before any reply."""

    async def reply(request: web.Request, _seen: Seen) -> web.StreamResponse:
        _break(request)
        return web.Response()

    return reply


def cut_body(body: dict[str, Any]) -> Reply:
    """The connection breaks in the middle of a whole reply."""

    async def reply(request: web.Request, _seen: Seen) -> web.StreamResponse:
        content = json.dumps(body).encode()
        headers = {"content-type": "application/json", "content-length": str(len(content))}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await response.write(content[: len(content) // 2])
        _break(request)
        return response

    return reply


class ScriptedProvider:
    """The server; `base_url` includes `/v1`."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.default: Reply = answer()
        self.base_url = ""
        self._replies: deque[Reply] = deque()
        self._closing = False
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)

    def script(self, *replies: Reply) -> None:
        """Adds replies, one for each of the next requests."""
        self._replies.extend(replies)

    def forget(self) -> None:
        """Begins anew: nothing was asked, nothing is scripted."""
        self.requests.clear()
        self._replies.clear()
        self.default = answer()

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._closing = True
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        peer = request.transport.get_extra_info("peername")[1] if request.transport else 0
        seen = Seen(request.path, peer, dict(request.headers), await request.json())
        self.requests.append(seen)
        reply = self._replies.popleft() if self._replies else self.default
        try:
            return await reply(request, seen)
        except (asyncio.CancelledError, ConnectionResetError):
            seen.disconnected = not self._closing
            raise
        finally:
            seen.finished.set()


async def _for_ever() -> None:
    await asyncio.Event().wait()


def _break(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
