"""Replays: which deliveries they make due, and how much one call does."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.errors import InvalidRequest
from domain.webhooks.replay import MAX_DELIVERIES, Replayed, Window, replay
from tests.support.webhook_engine import ACCOUNT, ORIGIN, WebhookEngine, webhook_engine
from tests.support.webhook_receiver import WebhookReceiver

NEVER = 2**50
WEEK_MS = 7 * 24 * 3600 * 1000


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[WebhookEngine]:
    async with webhook_engine(tmp_path) as opened:
        await opened.follow()
        yield opened


async def replayed(
    engine: WebhookEngine, endpoint_id: str, window: Window, due_at: int = NEVER
) -> Replayed:
    listed = engine.directory.get(ACCOUNT, endpoint_id)
    assert listed is not None
    return await replay(engine.store, listed.endpoint, window, due_at, ORIGIN)


def last_minute(engine: WebhookEngine, after: int = 0) -> Window:
    now = engine.ports.clock.now()
    return Window(now - 60_000, now + 60_000, after)


async def test_a_replay_delivers_what_came_before_the_endpoint(tmp_path: Path) -> None:
    async with WebhookReceiver() as receiver, webhook_engine(tmp_path) as engine:
        await engine.start()
        ended = [await engine.complete_job() for _ in range(3)]
        await engine.scheduled()
        endpoint_id, _ = await engine.create_endpoint(receiver.url)
        assert await replayed(engine, endpoint_id, last_minute(engine), 0) == Replayed(3, None)
        received = await receiver.count(3)
        assert {r.message_id for r in received} == {event.event_id for event in ended}


async def test_a_replay_keeps_to_its_times(engine: WebhookEngine) -> None:
    before = await engine.complete_job()
    await asyncio.sleep(0.005)
    within = await engine.complete_job()
    await asyncio.sleep(0.005)
    await engine.complete_job()
    endpoint_id, _ = await engine.create_endpoint("http://127.0.0.1:1/")
    window = Window(before.recorded_at + 1, within.recorded_at)
    assert (await replayed(engine, endpoint_id, window)).deliveries == 1


async def test_a_replay_leaves_other_accounts_alone(engine: WebhookEngine) -> None:
    await engine.complete_job(account_id="acct_other")
    endpoint_id, _ = await engine.create_endpoint("http://127.0.0.1:1/")
    assert (await replayed(engine, endpoint_id, last_minute(engine))).deliveries == 0


async def test_one_call_makes_a_bounded_number_due_and_the_next_goes_on(
    engine: WebhookEngine,
) -> None:
    await asyncio.gather(*(engine.complete_job() for _ in range(MAX_DELIVERIES + 50)))
    endpoint_id, _ = await engine.create_endpoint("http://127.0.0.1:1/")
    first = await replayed(engine, endpoint_id, last_minute(engine))
    assert first.next_after is not None
    rest = await replayed(engine, endpoint_id, last_minute(engine, first.next_after))
    assert (first.deliveries, rest) == (MAX_DELIVERIES, Replayed(50, None))


async def test_parallel_replays_make_each_delivery_due_once(engine: WebhookEngine) -> None:
    for _ in range(10):
        await engine.complete_job()
    endpoint_id, _ = await engine.create_endpoint("http://127.0.0.1:1/")
    window = last_minute(engine)
    both = await asyncio.gather(*(replayed(engine, endpoint_id, window) for _ in range(2)))
    assert sum(each.deliveries for each in both) == 10


def test_a_replay_of_more_than_seven_days_is_refused() -> None:
    assert Window(1, 1 + WEEK_MS)
    with pytest.raises(InvalidRequest):
        Window(1, 2 + WEEK_MS)
