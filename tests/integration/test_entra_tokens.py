"""Azure OpenAI with an application of Microsoft Entra in place of a key."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from adapters.providers.http import HttpProvider
from adapters.providers.session import HttpSession
from domain.ports.provider import CallTimeouts, ProviderCall, ProviderFailure
from infra.providers.probing import check_all
from infra.providers.wires import build_wire
from infra.settings import ProviderSettings
from tests.support.scripted_provider import completion

TIMEOUTS = CallTimeouts(connect=5, first_byte=5, chunk=5, total=10)
CALL = ProviderCall(
    "/v1/chat/completions",
    "my-deployment",
    {"messages": [{"role": "user", "content": "hi"}]},
    False,
    TIMEOUTS,
    "req_1",
)


@dataclass
class Azure:
    """Gives tokens, and answers whoever has the newest."""

    url: str = ""
    status: int = 200
    lasts: float = 3600
    grants: list[dict[str, Any]] = field(default_factory=list)

    async def grant(self, request: web.Request) -> web.Response:
        self.grants.append({**await request.post(), "path": request.path})
        token = {"access_token": f"token-{len(self.grants)}", "expires_in": self.lasts}
        return web.json_response(token, status=self.status)

    async def answer(self, request: web.Request) -> web.Response:
        known = request.headers.get("authorization") == f"Bearer token-{len(self.grants)}"
        return web.json_response(completion(), status=200 if known else 401)


@pytest.fixture
async def azure() -> AsyncIterator[Azure]:
    served = Azure()
    app = web.Application()
    app.router.add_post("/tenant-1/oauth2/v2.0/token", served.grant)
    app.router.add_post("/openai/v1/chat/completions", served.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()


def settings(azure: Azure) -> ProviderSettings:
    return ProviderSettings.model_validate(
        {
            "preset": "azure-openai",
            "base_url": f"{azure.url}/openai/v1",
            "authority": azure.url,
            "tenant_id": "tenant-1",
            "client_id": "app-1",
            "client_secret": "planted-secret",
        }
    )


async def ask(provider: ProviderSettings, times: int = 1) -> None:
    session = HttpSession()
    try:
        adapter = HttpProvider(session, build_wire(provider))
        for _ in range(times):
            await adapter.call(CALL)
    finally:
        await session.close()


async def test_a_token_is_asked_for_once_and_carried_by_every_call(azure: Azure) -> None:
    await ask(settings(azure), times=3)
    (grant,) = azure.grants
    assert grant["grant_type"] == "client_credentials"
    assert (grant["client_id"], grant["client_secret"]) == ("app-1", "planted-secret")
    assert grant["scope"] == "https://cognitiveservices.azure.com/.default"


async def test_a_token_is_renewed_before_it_ends(azure: Azure) -> None:
    azure.lasts = 0
    await ask(settings(azure), times=2)
    assert len(azure.grants) == 2


@pytest.mark.parametrize(("status", "kind"), [(400, "auth"), (401, "auth"), (503, "overloaded")])
async def test_without_a_token_there_is_no_call(azure: Azure, status: int, kind: str) -> None:
    azure.status = status
    with pytest.raises(ProviderFailure) as failed:
        await ask(settings(azure))
    assert failed.value.kind == kind
    assert "planted-secret" not in str(failed.value)


async def test_a_check_goes_with_a_token_too(azure: Azure) -> None:
    (found,) = await check_all({"azure-openai": settings(azure)}, 5)
    assert (found.ok, found.status) == (True, 200)
