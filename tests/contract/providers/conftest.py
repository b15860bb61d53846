"""The wire of chat completions with a scripted upstream, and the simulator."""

from collections.abc import AsyncIterator

import pytest

from adapters.providers.http import HttpProvider
from adapters.providers.openai_chat import OpenAIChatWire
from adapters.providers.session import HttpSession
from adapters.providers.simulator import Simulator
from adapters.system.clock import SystemClock
from domain.ports.provider import Provider
from tests.support.scripted_provider import ScriptedProvider


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
def wire(upstream: ScriptedProvider, session: HttpSession) -> HttpProvider:
    return HttpProvider(session, OpenAIChatWire(upstream.base_url, "sk-test"))


@pytest.fixture(params=["wire", "simulator"])
def provider(request: pytest.FixtureRequest) -> Provider:
    if request.param == "simulator":
        return Simulator(SystemClock(), latency_seconds=0.001)
    wire: HttpProvider = request.getfixturevalue("wire")
    return wire
