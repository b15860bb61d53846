"""Admitting a request: what it asks for is resolved, priced and sealed into an acceptance."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from api.auth import Caller
from api.inference_bodies import read_body
from api.ports import ApiPorts
from api.pricing import pinned
from domain.inference.admission import estimated_input, hold_for, output_limit
from domain.inference.events import (
    DisconnectPolicy,
    Endpoint,
    JobAccepted,
    Lane,
    OfferRef,
    WebhookTarget,
)
from domain.sealed import Sealed

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for; the endpoint's body stands at `place` in the request.

    `deadline_at` is Unix milliseconds. A request whose client waits says what becomes of it
    `on_disconnect`. `store` keeps the answer, `keep_input` what another node needs to run it.
    """

    endpoint: Endpoint
    body: dict[str, Any]
    place: str = ""
    lane: Lane = "standard"
    metadata: dict[str, str] = field(default_factory=dict)
    deadline_at: int | None = None
    webhook: WebhookTarget | None = None
    on_disconnect: DisconnectPolicy | None = None
    store: bool = True
    keep_input: bool = True


async def admit(
    ports: ApiPorts, caller: Caller, asked: Asked, job_id: str, input_hash: str
) -> JobAccepted:
    """The acceptance of a valid request. Raises a refusal, before anything is written."""
    wanted = read_body(asked.endpoint, asked.body, asked.place)
    resolved = ports.catalogue.resolve(wanted.model, asked.endpoint)
    content = _encode(asked.body)
    input_tokens = max(estimated_input(len(content)), wanted.token_ids)
    output_tokens = output_limit(resolved, wanted.max_output_tokens, wanted.choices)
    sealed: Sealed | None = None
    if asked.keep_input:
        sealed = await ports.payloads.seal(caller.account_id, f"{job_id}/input", content)
    return JobAccepted(
        job_id=job_id,
        endpoint=asked.endpoint,
        model=resolved.model.id,
        requested_model=wanted.model,
        lane=asked.lane,
        offers=tuple(
            OfferRef(provider=offer.provider, native_id=offer.native_id)
            for offer in resolved.offers
        ),
        price_version=await pinned(ports.store, ports.prices, resolved.model),
        hold_picodollars=hold_for(resolved, input_tokens, output_tokens),
        estimated_input_tokens=input_tokens,
        max_output_tokens=output_tokens,
        input=sealed,
        input_hash=input_hash,
        metadata=asked.metadata,
        deadline_at=asked.deadline_at,
        webhook=asked.webhook,
        on_disconnect=asked.on_disconnect,
        store=asked.store,
    )
