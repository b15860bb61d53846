"""The wire `bedrock-converse` with a scripted upstream."""

from collections.abc import AsyncIterator

import pytest

from adapters.providers.http import HttpProvider
from adapters.providers.session import HttpSession
from tests.contract.bedrock.calls import KEY, provider
from tests.support.scripted_upstream import ScriptedUpstream


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture
def bedrock(upstream: ScriptedUpstream, session: HttpSession) -> HttpProvider:
    return provider(upstream, session, KEY)
