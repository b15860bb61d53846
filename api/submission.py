"""Submitting a job: parse, replay, resolve and price, seal, and one append."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.admission import Asked, admit
from api.answers import JOB_ID, NONE
from api.auth import Caller, authenticate, ports_of
from api.histories import History
from api.idempotency import REPLAYED, id_for, idempotency_key, require_same
from api.job_requests import deadline_at, read_document, read_request
from api.ports import ApiPorts
from api.requests import body_of, header_of
from domain.errors import DomainError, VersionConflict
from domain.ids import Kind
from domain.inference.events import JobAccepted, WebhookTarget
from domain.inference.view import job_object
from domain.ports.event_store import Append, StreamWrite

_encode = msgspec.json.Encoder().encode
_encode_canonical = msgspec.json.Encoder(order="sorted").encode


async def submit_job(request: Request) -> Response:
    """`POST /v1/jobs`: 202 once the job and its hold are durable."""
    ports = ports_of(request)
    caller = authenticate(request, "jobs", "inference")
    document = read_document(await body_of(request))
    key = idempotency_key(header_of(request, b"idempotency-key"))
    history, is_new = await submit(ports, caller, document, key, partial(_asked, ports, document))
    return _reply(history, NONE if is_new else REPLAYED)


async def submit(
    ports: ApiPorts,
    caller: Caller,
    document: Any,
    key: str | None,
    asked: Callable[[], Awaitable[Asked]],
) -> tuple[History, bool]:
    """The events of the job that a document asks for, and whether it is new.

    What is `asked` for is read only then: what it refers to may be gone when the same request
    comes again.
    """
    job_id = id_for(ports, caller.account_id, Kind.JOB, key)
    input_hash = await input_hash_of(ports, caller, document)
    if key is not None and (made := await ports.store.read_stream(job_id)):
        return _same(made, input_hash), False
    return await _accepted(ports, caller, await asked(), job_id, input_hash)


async def _accepted(
    ports: ApiPorts, caller: Caller, asked: Asked, job_id: str, input_hash: str
) -> tuple[History, bool]:
    accepted = await admit(ports, caller, asked, job_id, input_hash)
    append = Append(caller.origin(), (StreamWrite(job_id, 0, (accepted,)),))
    try:
        return await ports.store.append(append), True
    except VersionConflict:  # the same key, at the same moment
        await ports.payloads.discard(accepted.input)
        return _same(await ports.store.read_stream(job_id), input_hash), False
    except DomainError:  # refused for certain; a store that was lost may have recorded it
        await ports.payloads.discard(accepted.input)
        raise


async def _asked(ports: ApiPorts, document: Any) -> Asked:
    wanted, webhook = read_request(document), None
    if wanted.webhook is not None:
        await ports.targets.check(wanted.webhook.url)
        webhook = WebhookTarget(url=wanted.webhook.url, events=tuple(wanted.webhook.events))
    return Asked(
        endpoint=wanted.endpoint,
        body=wanted.body,
        place="body",
        lane=wanted.lane,
        metadata=wanted.metadata,
        deadline_at=deadline_at(wanted.deadline, ports.clock.now()),
        webhook=webhook,
    )


async def input_hash_of(ports: ApiPorts, caller: Caller, document: Any) -> str:
    """The same for the same JSON as it came, whatever its spacing and the order of its keys."""
    return await ports.payloads.fingerprint(caller.account_id, _encode_canonical(document))


def _same(history: History, input_hash: str) -> History:
    """The job that this Idempotency-Key made. Raises when it was made from another input."""
    first = history[0].event
    require_same(isinstance(first, JobAccepted) and first.input_hash == input_hash)
    return history


def _reply(history: History, extra: Mapping[str, str] = NONE) -> Response:
    job = job_object(history)
    headers = {"location": f"/v1/jobs/{job['id']}", JOB_ID: job["id"], **extra}
    return Response(_encode(job), 202, headers, "application/json")
