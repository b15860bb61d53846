"""The deliverer over restarts, drains and slow hosts, with a real receiver."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.system.clock import SystemClock
from domain.errors import Conflict, StoreUnavailable
from domain.event import Event, Recorded
from domain.inference.events import WebhookTarget
from domain.ports.consumer import Outcome
from domain.ports.webhook_sender import SendResult
from domain.webhooks.commands import Redeliver
from domain.webhooks.events import DeliveryAttempted
from domain.webhooks.handle import change_delivery
from domain.webhooks.retry import RetryPolicy
from tests.support.webhook_engine import ACCOUNT, ORIGIN, QUICK, WebhookEngine, webhook_engine
from tests.support.webhook_receiver import Reply, WebhookReceiver
from workers.webhooks.deliverer import Deliverer, DeliveryLimits
from workers.webhooks.deliveries import MAX_PINGS, Deliveries, Pending


class AwayAtFirst:
    """Deliveries over a store that cannot be read the first time."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries, self.refusals = deliveries, 1

    async def pending(self, delivery_id: str) -> Pending | None:
        if self.refusals:
            self.refusals -= 1
            raise StoreUnavailable("away")
        return await self._deliveries.pending(delivery_id)

    async def attempt(self, pending: Pending) -> None:
        await self._deliveries.attempt(pending)


class BrokenSender:
    """A sender that breaks its promise never to raise."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> SendResult:
        raise RuntimeError("broken")


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as opened:
        yield opened


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[WebhookEngine]:
    async with webhook_engine(tmp_path) as opened:
        await opened.start()
        yield opened


async def only_delivery(engine: WebhookEngine) -> str:
    (scheduled,) = await engine.scheduled()
    return scheduled.delivery_id


async def test_a_redelivery_sends_the_same_message_again(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    await engine.create_endpoint(receiver.url)
    await engine.complete_job()
    delivery_id = await only_delivery(engine)
    await engine.ended(delivery_id)
    await change_delivery(engine.store, delivery_id, Redeliver(0), ORIGIN)
    first, second = await receiver.count(2)
    assert (first.message_id, first.body) == (second.message_id, second.body)


async def test_a_ping_is_signed_sent_once_and_recorded(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    receiver.always(Reply(500))
    endpoint_id, secret = await engine.create_endpoint(receiver.url)
    listed = engine.directory.get(ACCOUNT, endpoint_id)
    assert listed is not None
    result = await engine.deliveries.ping(listed.endpoint, "job.completed", ORIGIN)
    (received,) = receiver.received
    assert result.status_code == 500
    assert received.is_signed_with(secret)
    assert received.message["data"]["ping"] is True
    assert (await engine.ended(await only_delivery(engine))).status == "failed"


async def test_an_account_sends_a_bounded_number_of_pings_at_once(
    engine: WebhookEngine, receiver: WebhookReceiver
) -> None:
    receiver.always(Reply(delay=60))
    endpoint_id, _ = await engine.create_endpoint(receiver.url)
    listed = engine.directory.get(ACCOUNT, endpoint_id)
    assert listed is not None
    async with asyncio.TaskGroup() as group:
        pings = [
            group.create_task(engine.deliveries.ping(listed.endpoint, "job.completed", ORIGIN))
            for _ in range(MAX_PINGS)
        ]
        await receiver.count(MAX_PINGS)
        with pytest.raises(Conflict, match="test messages are being sent"):
            await engine.deliveries.ping(listed.endpoint, "job.completed", ORIGIN)
        for ping in pings:
            ping.cancel()


async def test_an_event_handled_twice_is_scheduled_once(engine: WebhookEngine) -> None:
    await engine.create_endpoint("http://127.0.0.1:1/")
    ended = await engine.complete_job()
    await engine.scheduled()
    (route,) = (r for r in engine.intake.consumer.routes if r.event_type is type(ended.event))
    handled = route.handle(ended)
    outcome = handled if isinstance(handled, Outcome) else await handled
    assert [write.stream for write in outcome.writes] == [await only_delivery(engine)]


async def test_what_was_sent_and_not_recorded_is_sent_again_after_a_restart(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    receiver.answer(Reply(delay=5))
    async with webhook_engine(tmp_path, limits=DeliveryLimits(drain_seconds=0)) as engine:
        await engine.start()
        await engine.create_endpoint(receiver.url)
        await engine.complete_job()
        await receiver.count(1)
    async with webhook_engine(tmp_path) as engine:
        await engine.start()
        first, second = await receiver.count(2)
        assert (first.message_id, first.body) == (second.message_id, second.body)


async def test_a_drain_lets_what_is_being_sent_finish(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    receiver.answer(Reply(delay=0.1))
    async with webhook_engine(tmp_path) as engine:
        await engine.start()
        await engine.create_endpoint(receiver.url)
        await engine.complete_job()
        await receiver.count(1)
        await engine.deliverer.drain()
        assert (await engine.ended(await only_delivery(engine))).status == "delivered"


async def test_after_a_restart_events_are_told_to_the_endpoints_there_are(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    async with webhook_engine(tmp_path) as engine:
        await engine.start()
        await engine.create_endpoint(receiver.url)
        await engine.scheduled()
    async with webhook_engine(tmp_path) as engine:
        await engine.start()
        ended = await engine.complete_job()
        (received,) = await receiver.count(1)
        assert received.message_id == ended.event_id


async def test_an_event_is_told_to_the_endpoints_that_there_were_when_it_happened(
    tmp_path: Path,
) -> None:
    async with webhook_engine(tmp_path) as engine:
        await engine.complete_job()
        await engine.create_endpoint("http://127.0.0.1:1/")
        after = await engine.complete_job()
        await engine.follow()
        assert [s.message_id for s in await engine.scheduled()] == [after.event_id]


async def test_one_host_gets_no_more_at_once_than_it_may(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    receiver.always(Reply(delay=0.02))
    async with webhook_engine(tmp_path, limits=DeliveryLimits(per_host=2)) as engine:
        await engine.create_endpoint(receiver.url)
        ended: list[Recorded[Event]] = [await engine.complete_job() for _ in range(10)]
        await engine.start()
        received = await receiver.count(10)
        assert {r.message_id for r in received} == {event.event_id for event in ended}
        assert receiver.most_at_once == 2


async def test_a_slow_host_does_not_hold_up_another(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    limits = DeliveryLimits(concurrency=4, per_host=2, drain_seconds=0)
    async with WebhookReceiver() as slow, webhook_engine(tmp_path, limits=limits) as engine:
        slow.always(Reply(delay=60))
        await engine.open_account()
        for _ in range(20):
            await engine.complete_job(WebhookTarget(url=slow.url))
        elsewhere = receiver.url.replace("127.0.0.1", "localhost")
        await engine.complete_job(WebhookTarget(url=elsewhere))
        await engine.start()
        assert await receiver.count(1)
        assert len(slow.received) == 2


async def test_an_account_whose_receivers_are_silent_does_not_hold_up_another(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    limits = DeliveryLimits(concurrency=4, per_account=2, per_host=4, drain_seconds=0)
    async with WebhookReceiver() as silent, webhook_engine(tmp_path, limits=limits) as engine:
        silent.always(Reply(delay=60))
        await engine.open_account()
        await engine.open_account("acct_other")
        for _ in range(20):
            await engine.complete_job(WebhookTarget(url=silent.url))
        await engine.complete_job(WebhookTarget(url=receiver.url), account_id="acct_other")
        await engine.start()
        assert await receiver.count(1)
        assert len(silent.received) == 2


async def test_the_ports_of_a_host_share_its_places(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    limits = DeliveryLimits(concurrency=4, per_host=1, drain_seconds=0)
    async with WebhookReceiver() as silent, webhook_engine(tmp_path, limits=limits) as engine:
        silent.always(Reply(delay=60))
        await engine.open_account()
        await engine.start()
        await engine.complete_job(WebhookTarget(url=silent.url))
        await silent.count(1)
        await engine.complete_job(WebhookTarget(url=receiver.url))
        elsewhere = receiver.url.replace("127.0.0.1", "localhost")
        passes = await engine.complete_job(WebhookTarget(url=elsewhere))
        received = await receiver.count(1)
        assert [r.message_id for r in received] == [passes.event_id]


async def test_what_breaks_on_our_side_is_a_recorded_attempt(tmp_path: Path) -> None:
    async with webhook_engine(tmp_path) as engine:
        await engine.follow()
        await engine.create_endpoint("http://127.0.0.1:1/")
        await engine.complete_job()
        delivery_id = await only_delivery(engine)
        broken = Deliveries(replace(engine.ports, sender=BrokenSender()), QUICK)
        pending = await broken.pending(delivery_id)
        assert pending is not None
        await broken.attempt(pending)
        attempted = (await engine.store.read_stream(delivery_id))[-1].event
        assert isinstance(attempted, DeliveryAttempted)
        assert (attempted.status_code, attempted.result) == (None, "retry")
        assert attempted.error == "the attempt broke on our side"


async def test_a_delivery_that_went_to_another_process_before_its_attempt_is_not_sent(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    async with webhook_engine(tmp_path) as engine:
        reading, withdrawn = asyncio.Event(), asyncio.Event()

        class ReadSlowly:
            async def pending(self, delivery_id: str) -> Pending | None:
                reading.set()
                await withdrawn.wait()
                return await engine.deliveries.pending(delivery_id)

            async def attempt(self, pending: Pending) -> None:
                await engine.deliveries.attempt(pending)

        deliverer = Deliverer(ReadSlowly(), engine.store, SystemClock(), DeliveryLimits())
        await engine.follow()
        await engine.create_endpoint(receiver.url)
        await engine.complete_job()
        running = asyncio.create_task(deliverer.run())
        await reading.wait()
        deliverer._withdraw(lambda _id, _lane: False)
        withdrawn.set()
        await deliverer.drain()
        running.cancel()
        assert receiver.received == []
        assert len(await engine.store.backlog("webhooks")) == 1


async def test_late_news_of_a_delivery_does_not_bring_its_next_attempt_forward(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    async with webhook_engine(tmp_path, policy=RetryPolicy(gaps=(60,))) as engine:
        receiver.always(Reply(500))
        await engine.start()
        await engine.create_endpoint(receiver.url)
        await engine.complete_job()
        await receiver.count(1)
        async with asyncio.timeout(5):
            while not (waiting := await engine.store.backlog("webhooks"))[0].due_at > ended_at():
                await asyncio.sleep(0.01)
        engine.deliverer._arrived(waiting[0]._replace(due_at=0))
        await asyncio.sleep(0.2)
        assert len(receiver.received) == 1


def ended_at() -> int:
    """Later than any attempt of this run, earlier than its retry."""
    return SystemClock().now() + 10_000


async def test_a_delivery_waits_while_the_store_is_away(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    async with webhook_engine(tmp_path) as engine:
        away = AwayAtFirst(engine.deliveries)
        deliverer = Deliverer(away, engine.store, SystemClock(), DeliveryLimits())
        await engine.follow()
        await engine.create_endpoint(receiver.url)
        await engine.complete_job()
        delivery_id = await only_delivery(engine)
        running = asyncio.create_task(deliverer.run())
        assert (await engine.ended(delivery_id)).status == "delivered"
        running.cancel()
        assert away.refusals == 0
