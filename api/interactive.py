"""The drop-in routes: a request is run at once, and answered whole or as a stream."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.admission import Asked, admit
from api.answers import answered, refused, streamed_whole
from api.auth import Caller, authenticate, ports_of, require_still_valid
from api.client import Client, client_of
from api.continuing import continued
from api.idempotency import idempotency_key
from api.inference_bodies import metadata_of
from api.job_requests import read_document
from api.preferences import without_routing
from api.replays import made_under, replay
from api.requests import body_of, header_of, request_id_of
from api.streamed import RUN_LOST, Answering, Listener, StreamedAnswer
from api.submission import input_hash_of
from domain.dialects.surfaces import SURFACES
from domain.errors import Conflict, DomainError, InvalidRequest, Unauthenticated
from domain.ids import Kind
from domain.inference.events import DisconnectPolicy, Endpoint, JobAccepted, JobCompleted
from domain.inference.view import failure_told, head_of
from domain.ports.interactive import Attached, Ended, RunLost

PATHS = frozenset(SURFACES)
_encode = msgspec.json.Encoder().encode


async def serve(request: Request) -> Response:
    """`POST` to an inference endpoint: the answer, or its events as they come.

    The hold is durable before a provider is called, and the charge before the last byte is sent.
    """
    endpoint = cast("Endpoint", request.scope["path"])
    caller = authenticate(request, "inference")
    return await serve_body(request, caller, endpoint, await object_of(request))


async def serve_body(
    request: Request, caller: Caller, endpoint: Endpoint, body: dict[str, Any]
) -> Response:
    """The same for a body that was read."""
    ports, stream = ports_of(request), _is_streamed(endpoint, body)
    key = idempotency_key(header_of(request, b"idempotency-key"))
    input_hash = await input_hash_of(ports, caller, {"endpoint": endpoint, "body": body})
    if key is None:
        job_id = ports.ids.new(Kind.JOB)
    else:
        job_id, made = await made_under(ports, caller.account_id, key, input_hash)
        if made:
            return await replay(request, caller, made, input_hash, body, stream=stream)
    if endpoint == "/v1/responses":  # after the replay: what it goes on with may be gone by then
        body = await continued(ports, caller, body)
    asked = _asked(endpoint, body, caller.key.on_disconnect, is_repeatable=key is not None)
    accepted = await admit(ports, caller, asked, job_id, input_hash)
    try:
        attached = await ports.interactive.begin(
            accepted, without_routing(body), caller.origin(), stream=stream
        )
    except Conflict:  # the same Idempotency-Key, at the same moment
        await ports.payloads.discard(accepted.input)
        made = await ports.store.read_stream(job_id)
        return await replay(request, caller, made, input_hash, body, stream=stream)
    except DomainError:  # refused for certain; a store that was lost may have recorded it
        await ports.payloads.discard(accepted.input)
        raise
    if stream:
        head = head_of(accepted, ports.clock.now())
        return await _streamed(request, Answering(accepted, body, head, attached))
    return await _whole(request, accepted, attached)


async def object_of(request: Request) -> dict[str, Any]:
    """The body, which must be a JSON object."""
    document = read_document(await body_of(request))
    if not isinstance(document, dict):
        raise InvalidRequest("the body must be a JSON object")
    return document


def _is_streamed(endpoint: Endpoint, body: Mapping[str, Any]) -> bool:
    return endpoint != "/v1/embeddings" and body.get("stream") is True


def _asked(
    endpoint: Endpoint, body: dict[str, Any], policy: DisconnectPolicy, *, is_repeatable: bool
) -> Asked:
    # OpenAI keeps a response unless it is told not to, so that a later one can go on with it.
    is_kept = policy == "finish_and_store" or (
        endpoint == "/v1/responses" and body.get("store") is not False
    )
    return Asked(
        endpoint=endpoint,
        body=body,
        metadata=metadata_of(endpoint, body),
        lane="interactive",
        on_disconnect=policy,
        store=is_kept or is_repeatable,
        keep_input=is_kept,
    )


async def _whole(request: Request, accepted: JobAccepted, attached: Attached) -> Response:
    try:
        ended = await _ended(request, attached)
    except RunLost:
        return refused(request, accepted.job_id, RUN_LOST)
    if isinstance(ended.event, JobCompleted):
        return answered(accepted, ended.event, _encode(ended.body))
    return refused(request, accepted.job_id, failure_told(ended.event))


async def _ended(request: Request, attached: Attached) -> Ended:
    client = client_of(request)
    client.when_gone(attached.left)
    try:
        return await attached.ended()
    except asyncio.CancelledError:
        attached.cut_off()
        raise
    finally:
        client.forget(attached.left)


async def _streamed(request: Request, answering: Answering) -> Response:
    """The stream once it has begun, or nothing has come for a while; what fails before is an
    ordinary error.
    """
    attached = answering.attached
    deltas = attached.deltas(ports_of(request).limits.stream_keep_alive_seconds)
    client = client_of(request)
    client.when_gone(attached.left)
    try:
        first = await anext(deltas, None)
    except BaseException as error:
        client.forget(attached.left)
        if isinstance(error, asyncio.CancelledError):
            attached.cut_off()
        raise
    if first is None:
        client.forget(attached.left)
        return await _not_begun(request, answering)
    return StreamedAnswer(answering, first, deltas, _listener(request, client))


def _listener(request: Request, client: Client) -> Listener:
    ports, caller = ports_of(request), authenticate(request, "inference")

    def is_welcome() -> bool:
        try:
            require_still_valid(ports, caller)
        except Unauthenticated:
            return False
        return True

    return Listener(request_id_of(request), is_welcome, client)


async def _not_begun(request: Request, answering: Answering) -> Response:
    """What a run that streamed nothing ended in: a failure, or an answer that came whole."""
    accepted = answering.accepted
    try:
        ended = await answering.attached.ended()
    except RunLost:
        return refused(request, accepted.job_id, RUN_LOST)
    if isinstance(ended.event, JobCompleted):
        return streamed_whole(accepted, ended.event, answering.body, answering.head, ended.body)
    return refused(request, accepted.job_id, failure_told(ended.event))
