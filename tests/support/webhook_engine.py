"""The webhook half of the engine on a real store, for tests that send real webhooks."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from adapters.blobs.files import FileBlobs
from adapters.codec.events import EventCodec
from adapters.crypto.api_keys import KeyedSecrets
from adapters.crypto.master_key import MasterKey
from adapters.crypto.payloads import SealedPayloads
from adapters.sqlite.data_keys import SqliteDataKeys
from adapters.sqlite.event_store import SqliteEventStore
from adapters.store.runner import Runner
from adapters.system.clock import SystemClock, TimeOrderedIds
from adapters.webhooks.resolver import ThreadPoolResolver
from adapters.webhooks.sender import AiohttpSender
from adapters.webhooks.signer import StandardSigner
from domain.access.events import AccountOpened
from domain.event import Event, Origin, Recorded, system_origin
from domain.event_types import ALL_EVENTS
from domain.execute import fold
from domain.ids import Kind
from domain.inference.events import (
    JobAccepted,
    JobCancelled,
    JobCompleted,
    OfferRef,
    Usage,
    WebhookTarget,
)
from domain.ports.event_store import Append, StreamWrite
from domain.webhooks.commands import CreateEndpoint, EndpointCommand
from domain.webhooks.directory import DIRECTORY_EVENTS, Directory
from domain.webhooks.events import DeliveryScheduled, EndpointCreated, PayloadForm
from domain.webhooks.handle import change_endpoint
from domain.webhooks.retry import RetryPolicy
from domain.webhooks.secrets import secret_context
from domain.webhooks.state import Delivery, evolve_delivery
from workers.directory import DirectoryFollower
from workers.webhooks.composer import Composer
from workers.webhooks.deliverer import Deliverer, DeliveryLimits
from workers.webhooks.deliveries import Deliveries, DeliveryPorts
from workers.webhooks.intake import WebhookIntake

ACCOUNT = "acct_test"


def origin_of(account_id: str) -> Origin:
    """The origin of what a test does in an account."""
    return system_origin(account_id, "test", "req_test")


ORIGIN = origin_of(ACCOUNT)
QUICK = RetryPolicy(gaps=(0.02, 0.03, 0.04), jitter_share=0)


class WebhookEngine:
    """Use `webhook_engine(folder)`. `start` begins to deliver; until then work piles up."""

    def __init__(
        self,
        store: SqliteEventStore,
        payloads: SealedPayloads,
        sender: AiohttpSender,
        policy: RetryPolicy,
        limits: DeliveryLimits,
    ) -> None:
        clock, self.ids = SystemClock(), TimeOrderedIds()
        self.store, self.payloads = store, payloads
        self.secrets = KeyedSecrets(MasterKey(b"m" * 32))
        self.directory = Directory()
        names = [event_type.event_name for event_type in DIRECTORY_EVENTS]
        self.follower = DirectoryFollower(store, store.log, names, self.directory.apply)
        self.intake = WebhookIntake(self.directory, self.follower.reached)
        self.runner = Runner(self.intake.consumer, store.log, store, clock)
        self.ports = DeliveryPorts(
            store=store,
            composer=Composer(store, payloads, StandardSigner()),
            sender=sender,
            directory=self.directory,
            reached=self.follower.reached,
            clock=clock,
            ids=self.ids,
            random=random.random,
        )
        self.deliveries = Deliveries(self.ports, policy)
        self.deliverer = Deliverer(self.deliveries, store, clock, limits)
        self._tasks: list[asyncio.Task[None]] = []

    async def follow(self) -> None:
        """Begins to schedule deliveries."""
        await self.follower.load()
        self._tasks += [
            asyncio.create_task(self.follower.run()),
            asyncio.create_task(self.runner.run()),
        ]

    async def start(self) -> None:
        """Begins to schedule deliveries and to make them."""
        await self.follow()
        self._tasks.append(asyncio.create_task(self.deliverer.run()))

    async def stop(self) -> None:
        await self.deliverer.drain()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def open_account(self, account_id: str = ACCOUNT) -> str:
        """Opens an account and returns its default secret."""
        secret = self.secrets.new_webhook_secret()
        sealed = await self.payloads.seal(account_id, secret_context(account_id), secret.encode())
        await self.record(
            account_id,
            AccountOpened(account_id=account_id, name="Acme", default_webhook_secret=sealed),
            origin=origin_of(account_id),
        )
        return secret

    async def create_endpoint(
        self,
        url: str,
        *,
        event_types: tuple[str, ...] = ("*",),
        payload: PayloadForm = "full",
    ) -> tuple[str, str]:
        """Registers an endpoint and returns its id and secret."""
        endpoint_id = self.ids.new(Kind.WEBHOOK_ENDPOINT)
        secret = self.secrets.new_webhook_secret()
        created = EndpointCreated(
            endpoint_id=endpoint_id,
            account_id=ACCOUNT,
            name="",
            url=url,
            event_types=event_types,
            payload=payload,
            secret=await self.payloads.seal(ACCOUNT, secret_context(endpoint_id), secret.encode()),
            secret_hint=secret[-4:],
        )
        await self.change(endpoint_id, CreateEndpoint(created))
        return endpoint_id, secret

    async def change(self, endpoint_id: str, command: EndpointCommand) -> None:
        """Executes a command on an endpoint; the directory holds it on return."""
        recorded = await change_endpoint(self.store, endpoint_id, command, ORIGIN)
        if self._tasks and recorded:
            await self.follower.reached(recorded[-1].position)

    async def complete_job(
        self,
        webhook: WebhookTarget | None = None,
        answer: bytes = b'{"choices": []}',
        account_id: str = ACCOUNT,
    ) -> Recorded[Event]:
        """Accepts and completes a job, and returns its terminal event."""
        job_id = self.ids.new(Kind.JOB)
        output = await self.payloads.seal(account_id, f"{job_id}/output", answer)
        completed = JobCompleted(
            job_id=job_id,
            lease_id="lease_1",
            provider="h1",
            native_id="alpha",
            usage=Usage(input_tokens=3, output_tokens=4),
            raw_usage=None,
            finish_reason="stop",
            output=output,
            attempts=(),
            cost_picodollars=0,
            webhook=webhook,
        )
        return await self._end_job(job_id, completed, webhook, account_id)

    async def cancel_job(self, webhook: WebhookTarget | None = None) -> Recorded[Event]:
        """Accepts and cancels a job, and returns its terminal event."""
        job_id = self.ids.new(Kind.JOB)
        return await self._end_job(job_id, JobCancelled(job_id=job_id, webhook=webhook), webhook)

    async def scheduled(self) -> list[DeliveryScheduled]:
        """Every delivery scheduled so far, in order, once the intake has seen everything."""
        async with asyncio.timeout(5):
            while self.runner.position < self.store.log.head():
                await asyncio.sleep(0.005)
        log = await self.store.read_log(0, 10_000, [DeliveryScheduled.event_name])
        return [
            entry.event
            for entry in log
            if isinstance(entry, Recorded) and isinstance(entry.event, DeliveryScheduled)
        ]

    async def ended(self, delivery_id: str) -> Delivery:
        """The delivery once it has ended."""
        async with asyncio.timeout(5):
            while True:
                delivery = fold(await self.store.read_stream(delivery_id), evolve_delivery)
                if delivery is not None and delivery.status != "pending":
                    return delivery
                await asyncio.sleep(0.01)

    async def record(
        self, stream: str, *events: Event, version: int = 0, origin: Origin = ORIGIN
    ) -> tuple[Recorded[Event], ...]:
        """Appends events to a stream as they are."""
        return await self.store.append(Append(origin, (StreamWrite(stream, version, events),)))

    async def _end_job(
        self, job_id: str, end: Event, webhook: WebhookTarget | None, account_id: str = ACCOUNT
    ) -> Recorded[Event]:
        accepted = JobAccepted(
            job_id=job_id,
            endpoint="/v1/chat/completions",
            model="acme/alpha",
            requested_model="alpha",
            lane="standard",
            offers=(OfferRef(provider="h1", native_id="alpha"),),
            price_version="pb_1",
            hold_picodollars=0,
            estimated_input_tokens=1,
            max_output_tokens=1,
            input=await self.payloads.seal(account_id, f"{job_id}/input", b"{}"),
            input_hash="hash",
            metadata={"order": "7"},
            webhook=webhook,
        )
        origin = origin_of(account_id)
        return (await self.record(job_id, accepted, end, origin=origin))[-1]


@asynccontextmanager
async def webhook_engine(
    folder: Path,
    *,
    policy: RetryPolicy = QUICK,
    limits: DeliveryLimits | None = None,
    timeout: float = 5,
) -> AsyncIterator[WebhookEngine]:
    """An engine on the data directory `folder`; opened again, it goes on where it stopped."""
    ids = TimeOrderedIds()
    store = SqliteEventStore(
        folder / "events.db", EventCodec(ALL_EVENTS), SystemClock(), ids, "process"
    )
    keys = SqliteDataKeys(folder / "keys.db", MasterKey(b"m" * 32), SystemClock())
    resolver = ThreadPoolResolver()
    payloads = SealedPayloads(keys, FileBlobs(folder / "blobs", "process"), ids)
    async with AsyncExitStack() as stack:
        stack.callback(keys.close)
        stack.push_async_callback(store.close)
        stack.push_async_callback(resolver.close)
        sender = await stack.enter_async_context(
            AiohttpSender(resolver, user_agent="Gatewayz/test", timeout=timeout, allow_private=True)
        )
        engine = WebhookEngine(store, payloads, sender, policy, limits or DeliveryLimits())
        stack.push_async_callback(engine.stop)
        yield engine
