"""The wire `anthropic-messages` with a scripted upstream."""

from collections.abc import AsyncIterator

import pytest

from adapters.providers.anthropic import AnthropicWire
from adapters.providers.http import HttpProvider
from adapters.providers.session import HttpSession
from tests.support.scripted_upstream import ScriptedUpstream


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as provider:
        yield provider


@pytest.fixture
async def wire(upstream: ScriptedUpstream) -> AsyncIterator[HttpProvider]:
    session = HttpSession()
    yield HttpProvider(session, AnthropicWire(upstream.base_url, "sk-ant-1"))
    await session.close()
