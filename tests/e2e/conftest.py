"""An engine over HTTP, an account with credit on it, and a webhook receiver."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.client import Account
from tests.support.engine import RunningEngine, running_engine
from tests.support.webhook_receiver import WebhookReceiver


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[RunningEngine]:
    async with running_engine(tmp_path / "data") as running:
        yield running


@pytest.fixture
async def account(engine: RunningEngine) -> Account:
    return await engine.account()


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as opened:
        yield opened
