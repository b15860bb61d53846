"""What the contract tests of the wires share."""

from collections.abc import AsyncIterator

import pytest

from adapters.providers.session import HttpSession


@pytest.fixture
async def session() -> AsyncIterator[HttpSession]:
    opened = HttpSession()
    yield opened
    await opened.close()
