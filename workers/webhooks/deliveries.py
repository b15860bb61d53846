"""One attempt at one delivery: read, compose, send, record."""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from domain.errors import Conflict, NotFound, StoreUnavailable
from domain.event import Event, Origin, Recorded, system_origin
from domain.execute import fold
from domain.ids import Kind
from domain.ports.clock import Clock, Ids
from domain.ports.event_store import Append, EventStore, StreamWrite
from domain.ports.payloads import PayloadErased
from domain.ports.webhook_sender import SendResult, WebhookSender
from domain.webhooks.commands import AbandonDelivery, DisableEndpoint, RecordAttempt
from domain.webhooks.decide import decide_delivery
from domain.webhooks.directory import Directory
from domain.webhooks.events import DeliveryAttempted, DeliveryScheduled, PayloadForm
from domain.webhooks.handle import change_delivery, change_endpoint
from domain.webhooks.retry import Answer, RetryPolicy
from domain.webhooks.secrets import Secrets
from domain.webhooks.state import Delivery, Endpoint, evolve_delivery
from workers.webhooks.composer import Composer

ACTOR = "webhooks"
BROKE = "the attempt broke on our side"
# Of one account at once: a caller waits for each, and each holds a connection.
MAX_PINGS = 4

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryPorts:
    """What an attempt needs.

    `directory` follows the log; `reached` returns once it has come to a position. `random`
    gives numbers in [0, 1).
    """

    store: EventStore
    composer: Composer
    sender: WebhookSender
    directory: Directory
    reached: Callable[[int], Awaitable[None]]
    clock: Clock
    ids: Ids
    random: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a message goes, in which form and under which secrets."""

    url: str
    form: PayloadForm
    secrets: Secrets


@dataclass(frozen=True, slots=True)
class Pending:
    """A delivery that waits for its next attempt, and its stream as it was read."""

    delivery: Delivery
    history: tuple[Recorded[Event], ...]

    @property
    def scheduled(self) -> DeliveryScheduled:
        return self.delivery.scheduled

    @property
    def account_id(self) -> str:
        return self.history[0].account_id

    @property
    def origin(self) -> Origin:
        first = self.history[0]
        return system_origin(first.account_id, ACTOR, first.correlation_id).caused_by(first)


class Deliveries:
    """Attempts deliveries, at least once each: what was sent and not recorded is sent again."""

    def __init__(self, ports: DeliveryPorts, policy: RetryPolicy) -> None:
        self._ports, self._policy = ports, policy
        self._pings: Counter[str] = Counter()

    async def pending(self, delivery_id: str) -> Pending | None:
        """The delivery, if it still waits for an attempt."""
        history = await self._ports.store.read_stream(delivery_id)
        delivery = fold(history, evolve_delivery)
        if delivery is None or delivery.status != "pending":
            return None
        return Pending(delivery, history)

    async def attempt(self, pending: Pending) -> None:
        """Sends the message once and records what came of it."""
        await self._ports.reached(pending.history[-1].position)
        target = self._target(pending)
        if target is None:
            await self._abandon(pending, "the endpoint is off")
            return
        at = self._ports.clock.now()
        try:
            result = await self._send(pending.account_id, pending.scheduled, target, at)
        except PayloadErased:
            await self._abandon(pending, "the account was erased")
            return
        await self._record(pending, self._attempt(pending.delivery, at, result))

    async def ping(self, endpoint: Endpoint, event_type: str, origin: Origin) -> SendResult:
        """Sends a test message now, once, and records it with what came of it.

        Raises `Conflict` while `MAX_PINGS` of the account are being sent.
        """
        account_id = endpoint.account_id
        if self._pings[account_id] >= MAX_PINGS:
            raise Conflict(
                f"{MAX_PINGS} test messages are being sent; wait for one of them",
                code="webhook_tests_running",
            )
        self._pings[account_id] += 1
        try:
            return await self._ping(endpoint, event_type, origin)
        finally:
            self._pings[account_id] -= 1
            if not self._pings[account_id]:
                del self._pings[account_id]

    async def _ping(self, endpoint: Endpoint, event_type: str, origin: Origin) -> SendResult:
        now = self._ports.clock.now()
        scheduled = self._ping_of(endpoint, event_type, now)
        target = Target(endpoint.url, endpoint.payload, endpoint.secrets)
        result = await self._send(endpoint.account_id, scheduled, target, now)
        delivery = Delivery(scheduled, now)
        attempted = decide_delivery(delivery, self._attempt(delivery, now, result))
        write = StreamWrite(scheduled.delivery_id, 0, (scheduled, *attempted))
        await self._ports.store.append(Append(origin, (write,)))
        return result

    def _target(self, pending: Pending) -> Target | None:
        """None when the endpoint was disabled or deleted, or the account has no secret."""
        endpoint_id = pending.scheduled.endpoint_id
        if endpoint_id is None:
            secrets = self._ports.directory.default_secrets(pending.account_id)
            return None if secrets is None else Target(pending.scheduled.url, "full", secrets)
        listed = self._ports.directory.get(pending.account_id, endpoint_id)
        if listed is None or not listed.endpoint.receives:
            return None
        endpoint = listed.endpoint
        return Target(endpoint.url, endpoint.payload, endpoint.secrets)

    async def _send(
        self, account_id: str, scheduled: DeliveryScheduled, target: Target, at: int
    ) -> SendResult:
        """Sends once. What breaks here is a failed attempt: it must be recorded, and must end."""
        try:
            return await self._compose_and_post(account_id, scheduled, target, at)
        except (PayloadErased, StoreUnavailable):
            raise
        except Exception:
            log.exception("webhook.attempt_broke", delivery_id=scheduled.delivery_id)
            return SendResult(None, None, BROKE, max(0, self._ports.clock.now() - at))

    async def _compose_and_post(
        self, account_id: str, scheduled: DeliveryScheduled, target: Target, at: int
    ) -> SendResult:
        composer = self._ports.composer
        body = await composer.body(account_id, scheduled, target.form)
        secrets = target.secrets.signing_at(at)
        headers = await composer.headers(account_id, secrets, scheduled.message_id, at, body)
        return await self._ports.sender.post(target.url, headers, body)

    def _attempt(self, delivery: Delivery, at: int, result: SendResult) -> RecordAttempt:
        return RecordAttempt(
            attempt=delivery.attempts + 1,
            at=at,
            duration_ms=result.duration_ms,
            answer=Answer(result.status_code, result.retry_after),
            error=result.error,
            policy=self._policy,
            jitter=self._ports.random(),
        )

    def _ping_of(self, endpoint: Endpoint, event_type: str, now: int) -> DeliveryScheduled:
        return DeliveryScheduled(
            delivery_id=self._ports.ids.new(Kind.WEBHOOK_DELIVERY),
            message_id=self._ports.ids.new(Kind.EVENT),
            event_type=event_type,
            url=endpoint.url,
            endpoint_id=endpoint.endpoint_id,
            job_id=None,
            source_position=0,
            due_at=now,
            ping=True,
        )

    async def _abandon(self, pending: Pending, error: str) -> None:
        now = self._ports.clock.now()
        await self._record(pending, AbandonDelivery(pending.delivery.attempts + 1, now, error))

    async def _record(self, pending: Pending, command: RecordAttempt | AbandonDelivery) -> None:
        recorded = await change_delivery(
            self._ports.store,
            pending.scheduled.delivery_id,
            command,
            pending.origin,
            known=(pending.delivery, len(pending.history)),
        )
        endpoint_id = pending.scheduled.endpoint_id
        if endpoint_id is not None and any(_is_gone(r.event) for r in recorded):
            # Should this be lost in a crash, the next delivery meets the same answer.
            with suppress(NotFound):
                await change_endpoint(
                    self._ports.store, endpoint_id, DisableEndpoint("410 Gone"), pending.origin
                )


def _is_gone(event: Event) -> bool:
    return isinstance(event, DeliveryAttempted) and (
        event.result == "disabled" and event.status_code is not None
    )
