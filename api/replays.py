"""The same request again, under its Idempotency-Key: the same answer, waited for if need be."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api.answers import JOB_ID, answered, refused, streamed_whole
from api.auth import Caller, ports_of, require_still_valid
from api.client import Client, client_of
from api.histories import KEY_CHECK_SECONDS, History, content_of, require_content
from api.idempotency import REPLAYED, require_same
from api.ports import ApiPorts
from api.waited import waited
from domain.errors import NotFound
from domain.execute import fold
from domain.ids import Kind, derived_id
from domain.inference.events import (
    Failure,
    JobAccepted,
    JobCancelled,
    JobCompleted,
    JobFailed,
)
from domain.inference.state import Job, evolve
from domain.inference.view import failure_told, head_of

# So often a request may be made again under its key.
MAX_TRIES = 50


async def made_under(
    ports: ApiPorts, account_id: str, key: str, input_hash: str
) -> tuple[str, History]:
    """The request that was made under an Idempotency-Key, or the id of the one to be made.

    One that failed for a reason that may pass, or that was given up with nothing sent, leaves the
    key free: who repeats a request after such a failure wants the answer. Raises
    `IdempotencyMismatch` when the input was another.
    """
    made: History = ()
    for number in range(MAX_TRIES):
        again = (str(number),) if number else ()
        job_id = derived_id(Kind.JOB, account_id, key, *again)
        made = await ports.store.read_stream(job_id)
        if not made:
            break
        _require_same_input(made, input_hash)
        if not _may_be_made_again(made):
            break
    return job_id, made


def _require_same_input(made: History, input_hash: str) -> JobAccepted:
    accepted = made[0].event
    require_same(isinstance(accepted, JobAccepted) and accepted.input_hash == input_hash)
    assert isinstance(accepted, JobAccepted)  # noqa: S101 - said by the line above
    return accepted


def _may_be_made_again(made: History) -> bool:
    job = fold(made, evolve)
    match None if job is None else job.ended:
        case JobFailed(failure=Failure(status_code=status)):
            return status >= 500 or status == 429
        case JobCancelled(usage=None):
            return True
        case _:
            return False


async def replay(
    request: Request,
    caller: Caller,
    made: History,
    input_hash: str,
    body: Mapping[str, Any],
    *,
    stream: bool,
) -> Response:
    """What the earlier request with this key was or will be answered.

    Raises `IdempotencyMismatch` when it was another request, and `NotFound` when its answer was
    not kept, or was deleted.
    """
    accepted = _require_same_input(made, input_hash)
    making = _replayed(request, caller, made, accepted, body if stream else None)
    silence_seconds = ports_of(request).limits.stream_keep_alive_seconds
    if not stream or not silence_seconds:
        return await making
    headers = {JOB_ID: accepted.job_id, **REPLAYED}
    return await waited(request, accepted.endpoint, making, silence_seconds, headers)


async def _replayed(
    request: Request,
    caller: Caller,
    made: History,
    accepted: JobAccepted,
    streamed: Mapping[str, Any] | None,
) -> Response:
    """The same, as a stream where the body that asks for one is `streamed`."""
    ports = ports_of(request)
    job = await _when_ended(ports, caller, accepted.job_id, client_of(request))
    ended = job.ended
    assert ended is not None  # noqa: S101 - said by `_when_ended`
    if not isinstance(ended, JobCompleted):
        return refused(request, accepted.job_id, failure_told(ended), REPLAYED)
    if ended.output is None:
        raise NotFound("the answer was not kept", code="result_not_kept")
    plain = await content_of(ports, caller.account_id, job, ended.output)
    if streamed is None:
        return answered(accepted, ended, plain, REPLAYED)
    head = head_of(accepted, made[0].recorded_at)
    return streamed_whole(accepted, ended, streamed, head, msgspec.json.decode(plain), REPLAYED)


async def _when_ended(ports: ApiPorts, caller: Caller, job_id: str, client: Client) -> Job:
    """The job once it has ended. Raises `Unauthenticated` when the caller's key ends before,
    `ClientDisconnect` when nobody waits any more, and `NotFound` when the answer was deleted.
    """
    async with ports.watch.watching(job_id) as moved:
        client.when_gone(moved.set)
        try:
            return await _ended(ports, caller, job_id, client, moved)
        finally:
            client.forget(moved.set)


async def _ended(
    ports: ApiPorts, caller: Caller, job_id: str, client: Client, moved: asyncio.Event
) -> Job:
    while True:
        moved.clear()
        job = fold(await ports.store.read_stream(job_id), evolve)
        if job is not None and job.ended is not None:
            require_content(job)
            return job
        if client.is_gone:
            raise ClientDisconnect
        try:
            async with asyncio.timeout(KEY_CHECK_SECONDS):
                await moved.wait()
        except TimeoutError:
            require_still_valid(ports, caller)
