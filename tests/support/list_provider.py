"""A provider on a loopback port that has a list of models in OpenRouter's shape, and answers."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.support.scripted_provider import completion

PRICES = {"m1": "1.00", "m2": "2.00", "m3": "3.00", "m4": "4.00"}


def listed(native_id: str, usd_per_million: str | None, **told: Any) -> dict[str, Any]:
    """An entry; an output costs twice its input."""
    if usd_per_million is None:
        return {"id": native_id, **told}
    price = float(usd_per_million)
    pricing = {"prompt": f"{price / 1e6:.12f}", "completion": f"{2 * price / 1e6:.12f}"}
    return {"id": native_id, "context_length": 8192, "pricing": pricing, **told}


def usual(**more: str | None) -> list[dict[str, Any]]:
    """The entries that the settings know, and more."""
    return [listed(name, price) for name, price in {**PRICES, **more}.items()]


def settings_of(base_url: str, name: str = "h2") -> dict[str, Any]:
    """Settings of the provider and of its models that are known without the list."""
    offers = {
        native_id: [{"provider": name, "native_id": native_id, "input": price, "output": price}]
        for native_id, price in PRICES.items()
    }
    return {
        "more_providers": {name: {"preset": "openrouter", "base_url": base_url, "api_key": "k"}},
        "more_models": {f"acme/{one}": {"offers": offer} for one, offer in offers.items()},
    }


@dataclass
class ListProvider:
    """The server. `content` is sent with `status` after `delay`, and breaks off when `cut`."""

    content: bytes = b""
    status: int = 200
    delay: float = 0.0
    cut: bool = False
    base_url: str = ""
    asked: int = 0
    called: list[Mapping[str, Any]] = field(default_factory=list)
    _runner: web.AppRunner | None = None

    def tell(self, entries: list[dict[str, Any]]) -> None:
        """Lists these from now on."""
        self.content, self.status, self.delay, self.cut = _body(entries), 200, 0.0, False

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v1/models", self._list)
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        await asyncio.sleep(self.delay)
        headers = {"content-length": str(len(self.content)), "content-type": "application/json"}
        response = web.StreamResponse(status=self.status, headers=headers)
        await response.prepare(request)
        if self.cut and request.transport is not None:
            await response.write(self.content[: len(self.content) // 2])
            request.transport.abort()
            return response
        await response.write(self.content)
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.called.append(await request.json())
        return web.json_response(completion())


def _body(entries: list[dict[str, Any]]) -> bytes:
    return json.dumps({"data": entries}).encode()
