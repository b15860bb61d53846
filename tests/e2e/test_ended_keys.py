"""A key that ends while its request waits: the wait ends with it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.client import Account, Frame
from tests.support.engine import RunningEngine
from tests.support.scripted_provider import silence


@pytest.fixture
async def job_id(engine: RunningEngine, account: Account) -> AsyncIterator[str]:
    """A job that runs until the test is over."""
    engine.upstream.script(silence())
    job_id = await account.submit()
    await account.running(job_id)
    yield job_id
    await account.post(f"/v1/jobs/{job_id}/cancel")


async def told_last(frames: AsyncIterator[Frame]) -> Frame:
    """The last frame before the server ended the stream."""
    async with asyncio.timeout(10):
        return [frame async for frame in frames][-1]


async def opened(account: Account, job_id: str) -> tuple[str, "asyncio.Task[Frame]"]:
    """The id of a second key, and the end of a live timeline under it that has begun."""
    key_id, second = await account.key("jobs")
    frames = second.frames(job_id)
    await anext(frames)
    return key_id, asyncio.create_task(told_last(frames))


async def test_a_live_timeline_ends_with_an_error_when_its_key_is_revoked(
    account: Account, job_id: str
) -> None:
    key_id, last = await opened(account, job_id)
    await account.post(f"/v1/keys/{key_id}/revoke")
    frame = await last
    assert (frame.event, frame.data["error"]["code"]) == ("error", "api_key_revoked")


async def test_a_live_timeline_ends_when_its_secret_is_rotated_out(
    account: Account, job_id: str
) -> None:
    key_id, last = await opened(account, job_id)
    await account.post(f"/v1/keys/{key_id}/rotate", {"overlap_seconds": 0})
    assert (await last).data["error"]["code"] == "api_key_expired"


async def test_a_long_poll_is_a_401_when_its_key_is_revoked(account: Account, job_id: str) -> None:
    key_id, second = await account.key("jobs")
    poll = asyncio.create_task(second.get(f"/v1/jobs/{job_id}?wait=20"))
    await asyncio.sleep(0.05)
    await account.post(f"/v1/keys/{key_id}/revoke")
    async with asyncio.timeout(10):
        reply = await poll
    assert (reply.status, reply.error["code"]) == (401, "api_key_revoked")
