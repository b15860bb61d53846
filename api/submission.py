"""Submitting a job: parse, resolve, price, seal, and one append."""

from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.auth import Caller, authenticate, ports_of
from api.idempotency import REPLAYED, id_for, idempotency_key, require_same
from api.job_requests import JobRequest, deadline_at, read_body, read_request
from api.ports import ApiPorts
from domain.errors import VersionConflict
from domain.event import Event, Recorded
from domain.ids import Kind
from domain.inference.admission import estimated_input, hold_for, output_limit
from domain.inference.events import JobAccepted, OfferRef, WebhookTarget
from domain.inference.view import job_object
from domain.ports.event_store import Append, StreamWrite

_encode = msgspec.json.Encoder().encode
NONE: Mapping[str, str] = {}


async def submit_job(request: Request) -> Response:
    """`POST /v1/jobs`: 202 once the job and its hold are durable."""
    ports = ports_of(request)
    caller = authenticate(ports, request, "jobs", "inference")
    raw = await request.body()
    key = idempotency_key(request.headers.get("idempotency-key"))
    job_id = id_for(ports, caller.account_id, Kind.JOB, key)
    accepted = await _accepted(ports, caller, raw, job_id, idempotent=key is not None)
    try:
        history = await ports.store.append(
            Append(caller.origin(), (StreamWrite(job_id, 0, (accepted,)),))
        )
    except VersionConflict:
        history = await _replayed(ports, accepted)
        return _reply(history, REPLAYED)
    return _reply(history)


async def _accepted(
    ports: ApiPorts, caller: Caller, raw: bytes, job_id: str, *, idempotent: bool
) -> JobAccepted:
    """The acceptance of a valid submission. Raises a refusal; records nothing."""
    wanted = read_request(raw)
    body = read_body(wanted)
    resolved = ports.catalogue.resolve(body.model, wanted.endpoint)
    input_tokens = estimated_input(len(wanted.body))
    output_tokens = output_limit(resolved, body.max_output_tokens, body.choices)
    return JobAccepted(
        job_id=job_id,
        endpoint=wanted.endpoint,
        model=resolved.model.id,
        requested_model=body.model,
        lane=wanted.lane,
        offers=tuple(
            OfferRef(provider=offer.provider, native_id=offer.native_id)
            for offer in resolved.offers
        ),
        price_version=ports.price_version,
        hold_picodollars=hold_for(resolved, input_tokens, output_tokens),
        estimated_input_tokens=input_tokens,
        max_output_tokens=output_tokens,
        input=await ports.payloads.seal(caller.account_id, f"{job_id}/input", bytes(wanted.body)),
        input_hash=await ports.payloads.fingerprint(
            caller.account_id, _canonical(raw) if idempotent else raw
        ),
        metadata=wanted.metadata,
        deadline_at=deadline_at(wanted.deadline, ports.clock.now()),
        webhook=await _webhook(ports, wanted),
    )


async def _webhook(ports: ApiPorts, wanted: JobRequest) -> WebhookTarget | None:
    if wanted.webhook is None:
        return None
    await ports.targets.check(wanted.webhook.url)
    return WebhookTarget(url=wanted.webhook.url, events=tuple(wanted.webhook.events))


def _canonical(raw: bytes) -> bytes:
    """The same bytes for the same JSON, whatever its spacing and the order of its keys."""
    return msgspec.json.encode(msgspec.json.decode(raw), order="sorted")


async def _replayed(ports: ApiPorts, accepted: JobAccepted) -> tuple[Recorded[Event], ...]:
    """The job that this Idempotency-Key made. Raises when it was made from another input."""
    history = await ports.store.read_stream(accepted.job_id)
    first = history[0].event
    require_same(isinstance(first, JobAccepted) and first.input_hash == accepted.input_hash)
    return history


def _reply(history: tuple[Recorded[Event], ...], extra: Mapping[str, str] = NONE) -> Response:
    job = job_object(history)
    headers = {"location": f"/v1/jobs/{job['id']}", "x-gatewayz-job-id": job["id"], **extra}
    return Response(_encode(job), 202, headers, "application/json")
