"""Composes a webhook: its body from the log, its headers from the target's secrets."""

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from domain.event import Event, Recorded
from domain.inference.events import ContentDeleted
from domain.ports.event_store import EventStore
from domain.ports.payloads import PayloadErased, Payloads
from domain.ports.webhook_sender import Signer
from domain.sealed import Sealed
from domain.webhooks.events import DeliveryScheduled, PayloadForm
from domain.webhooks.message import form_of, inline_result, job_data, message, ping_data

log = structlog.get_logger(__name__)


class Composer:
    """Makes the same body for the same delivery, however often it is asked."""

    def __init__(self, store: EventStore, payloads: Payloads, signer: Signer) -> None:
        self._store, self._payloads, self._signer = store, payloads, signer

    async def body(self, account_id: str, scheduled: DeliveryScheduled, form: PayloadForm) -> bytes:
        """The JSON that the receiver gets; without an answer that was deleted meanwhile."""
        if scheduled.ping or scheduled.job_id is None:
            return msgspec.json.encode(message(scheduled, scheduled.due_at, ping_data(scheduled)))
        stream = await self._store.read_stream(scheduled.job_id)
        history = [one for one in stream if one.position <= scheduled.source_position]
        form = form_of(scheduled, form)
        data = job_data(scheduled, form, history)
        if not any(isinstance(one.event, ContentDeleted) for one in stream):
            data |= await self._result(account_id, form, history)
        return msgspec.json.encode(message(scheduled, history[-1].recorded_at, data))

    async def headers(
        self, account_id: str, secrets: Sequence[Sealed], message_id: str, at: int, body: bytes
    ) -> dict[str, str]:
        """The signed headers of an attempt at `at`. Raises `PayloadErased`."""
        opened = [await self._payloads.open(account_id, secret) for secret in secrets]
        return self._signer.headers(message_id, at, body, [secret.decode() for secret in opened])

    async def _result(
        self, account_id: str, form: PayloadForm, history: Sequence[Recorded[Event]]
    ) -> dict[str, Any]:
        """The answer, when it is small and can still be read; `result_url` stands in for it."""
        sealed = inline_result(form, history)
        if sealed is None:
            return {}
        try:
            return {"result": msgspec.Raw(await self._payloads.open(account_id, sealed))}
        except (PayloadErased, ValueError) as error:
            log.warning("webhook.result_left_out", context=sealed.context, error=str(error))
            return {}
