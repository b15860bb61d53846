"""Admitting a request: what it asks for is resolved, priced and sealed into an acceptance."""

from typing import Any

import msgspec

from api.auth import Caller
from api.choosing import Choice, Inquiry, choices
from api.inference_bodies import Wanted, read_body
from api.ports import ApiPorts
from api.preferences import read_asking, without_routing
from api.pricing import pinned
from domain.access.provider_keys.directory import OwnKeys
from domain.inference.admission import estimated_input
from domain.inference.events import (
    DisconnectPolicy,
    Endpoint,
    Fallback,
    JobAccepted,
    Lane,
    Telling,
    WebhookTarget,
)
from domain.rating.media import media_in
from domain.routing.needs import needed
from domain.sealed import Sealed

_encode = msgspec.json.Encoder().encode


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; the endpoint's body stands at `place` in the request.

    `deadline_at` is Unix milliseconds. A request whose client waits says what becomes of it
    `on_disconnect`. `store` keeps the answer, `keep_input` what another node needs to run it;
    `stream` buffers the events of a job for clients that come and go.
    """

    endpoint: Endpoint
    body: dict[str, Any]
    place: str = ""
    lane: Lane = "standard"
    metadata: dict[str, str] = {}
    deadline_at: int | None = None
    webhook: WebhookTarget | None = None
    on_disconnect: DisconnectPolicy | None = None
    store: bool = True
    keep_input: bool = True
    stream: bool = False
    told_as: Telling = "job"


async def admit(
    ports: ApiPorts, caller: Caller, asked: Asked, job_id: str, input_hash: str
) -> JobAccepted:
    """The acceptance of a valid request. Raises a refusal, before anything is written."""
    wanted = read_body(asked.endpoint, asked.body, asked.place)
    content = _encode(without_routing(asked.body))
    media = media_in(asked.body)
    texts = estimated_input(len(content) - media.size)
    input_tokens = max(texts + media.tokens, wanted.token_ids)
    own_keys = ports.provider_keys.of_account(caller.account_id)
    every = choices(ports, _inquiry(asked, wanted, input_tokens, job_id, own_keys))
    first, others = every[0], every[1:]
    sealed: Sealed | None = None
    if asked.keep_input:
        sealed = await ports.payloads.seal(caller.account_id, f"{job_id}/input", content)
    return JobAccepted(
        job_id=job_id,
        endpoint=asked.endpoint,
        model=first.model.id,
        requested_model=wanted.model,
        lane=asked.lane,
        offers=first.refs,
        price_version=await _prices(ports, first),
        hold_picodollars=max([one.hold(input_tokens) for one in every]),
        estimated_input_tokens=input_tokens,
        max_output_tokens=min([one.output_tokens for one in every]),
        input=sealed,
        input_hash=input_hash,
        metadata=asked.metadata,
        deadline_at=asked.deadline_at,
        webhook=asked.webhook,
        on_disconnect=asked.on_disconnect,
        store=asked.store,
        stream=asked.stream,
        told_as=asked.told_as,
        prefill=not others and "prefill" in first.model.capabilities,
        fallbacks=tuple([await _fallback(ports, one) for one in others]),
    )


def _inquiry(
    asked: Asked, wanted: Wanted, input_tokens: int, job_id: str, own_keys: OwnKeys
) -> Inquiry:
    body = asked.body
    tokens = input_tokens + (wanted.max_output_tokens or 0) * wanted.choices
    return Inquiry(
        endpoint=asked.endpoint,
        wanted=wanted,
        asking=read_asking(body, asked.place, needed(body), tokens),
        body=body,
        request_id=job_id,
        own_keys=own_keys,
    )


async def _prices(ports: ApiPorts, choice: Choice) -> str:
    return await pinned(ports.store, ports.prices, choice.book)


async def _fallback(ports: ApiPorts, choice: Choice) -> Fallback:
    version = await _prices(ports, choice)
    return Fallback(model=choice.model.id, price_version=version, offers=choice.refs)
