"""Google's APIs on a real loopback port, that answer by script and remember what they saw.

    async with ScriptedGemini() as upstream:
        upstream.script(events(item(said("Hel")), item(said("lo"), finish="STOP")))
        ... call upstream.url ...
        assert upstream.requests[0].path == "/v1beta/models/gemini-3-flash:generateContent"

Any path is served, so the same server stands for AI Studio and for Vertex AI. `POST /token` gives
access tokens: `token_1`, `token_2` and so on.
"""

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from typing import Any, Self

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.scripted_provider import Reply, Seen, stream, whole

USAGE = {
    "promptTokenCount": 100,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 30,
    "cachedContentTokenCount": 60,
    "totalTokenCount": 150,
}
Item = dict[str, Any]


def said(text: str, **more: Any) -> dict[str, Any]:
    """A part of text."""
    return {"text": text, **more}


def called(name: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    """A part that calls a function; `id` goes into the call."""
    call = {"name": name, "args": arguments or {}}
    if "id" in more:
        call["id"] = more.pop("id")
    return {"functionCall": call, **more}


def item(*parts: dict[str, Any], finish: str | None = None, usage: Any = None, **more: Any) -> Item:
    """One reply, or one event of a streamed one; its counts come with the finish."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
        usage = usage or USAGE
    counts = {"usageMetadata": usage} if usage is not None else {}
    return {
        "candidates": [candidate],
        "modelVersion": "gemini-x",
        "responseId": "r",
        **counts,
        **more,
    }


def events(*items: Item, **how: Any) -> Reply:
    """The items as server-sent events; `how` as in `stream`."""
    return stream([json.dumps(one, ensure_ascii=False) for one in items], done=False, **how)


def google_error(
    code: int, status: str, message: str = "secret text", details: Sequence[Any] = ()
) -> dict[str, Any]:
    """Google's envelope."""
    return {"error": {"code": code, "message": message, "status": status, "details": details}}


def refused(code: int, status: str, message: str = "secret text", *details: Any) -> Reply:
    """A reply with that envelope."""
    return whole(google_error(code, status, message, details), status=code)


def answered(text: str = "Hello there.") -> Reply:
    """A well-formed answer in the form that the method asks for."""

    async def reply(request: web.Request, seen: Seen) -> web.StreamResponse:
        if seen.path.endswith("alt=sse"):
            first, _, rest = text.partition(" ")
            told = events(item(said(first)), item(said(f" {rest}"), finish="STOP"))
            return await told(request, seen)
        return await whole(_whole(seen, text))(request, seen)

    return reply


def _whole(seen: Seen, text: str) -> dict[str, Any]:
    vector = {"values": [0.5, -0.25]}
    match seen.path.rpartition(":")[2]:
        case "embedContent":
            return {"embedding": vector}
        case "batchEmbedContents":
            return {"embeddings": [vector for _ in seen.body["requests"]]}
        case "predict":
            counted = {**vector, "statistics": {"token_count": 4}}
            return {"predictions": [{"embeddings": counted} for _ in seen.body["instances"]]}
        case _:
            return item(said(text), finish="STOP")


class ScriptedGemini:
    """The server; `url` has no path."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.default: Reply = answered()
        self.url = ""
        self.tokens_given = 0
        self.token_seconds = 3600
        self.token_status = 200
        self._replies: deque[Reply] = deque()
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/token", self._token)
        app.router.add_post("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)

    def script(self, *replies: Reply) -> None:
        """Adds replies, one for each of the next requests."""
        self._replies.extend(replies)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.path_qs, 0, dict(request.headers), await request.json())
        self.requests.append(seen)
        reply = self._replies.popleft() if self._replies else self.default
        try:
            return await reply(request, seen)
        finally:
            seen.finished.set()

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        if self.token_status != 200:
            return web.json_response({"error": "invalid_grant"}, status=self.token_status)
        await asyncio.sleep(0.02)
        self.tokens_given += 1
        token = f"token_{self.tokens_given}"
        return web.json_response({"access_token": token, "expires_in": self.token_seconds})


def service_account(token_url: str) -> str:
    """The JSON of a service account with a key of its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "acme-project",
            "private_key_id": "key-1",
            "private_key": pem.decode(),
            "client_email": "gateway@acme-project.iam.example",
            "token_uri": token_url,
        }
    )
