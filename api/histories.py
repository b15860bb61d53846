"""The events of one job: read for its account, and waited for."""

import asyncio
import time
from contextlib import suppress

from api.auth import Caller, require_still_valid
from api.ports import ApiPorts
from domain.errors import NotFound
from domain.event import Event, Recorded
from domain.execute import fold
from domain.ids import Kind, is_id
from domain.inference.state import Job, evolve
from domain.sealed import Sealed

# How long a wait goes on before it asks again whether its key still holds.
KEY_CHECK_SECONDS = 0.5
History = tuple[Recorded[Event], ...]


async def history_of(ports: ApiPorts, account_id: str, job_id: str) -> History:
    """The job's events. Raises `NotFound` unless the account has such a job."""
    history = await ports.store.read_stream(job_id) if is_id(Kind.JOB, job_id) else ()
    if not history or history[0].account_id != account_id:
        raise NotFound(f"no such job: {job_id[:80]}")
    return history


async def history_when_ended(ports: ApiPorts, caller: Caller, job_id: str, wait: float) -> History:
    """The job's events, once it has ended or `wait` seconds have passed.

    Raises `Unauthenticated` when the caller's key ends before.
    """
    deadline = time.monotonic() + wait
    async with ports.watch.watching(job_id) as moved:
        while True:
            moved.clear()
            history = await history_of(ports, caller.account_id, job_id)
            left = deadline - time.monotonic()
            if left <= 0 or folded(history).is_ended:
                return history
            await moves(ports, caller, moved, left)


async def moves(ports: ApiPorts, caller: Caller, moved: asyncio.Event, seconds: float) -> bool:
    """Whether the stream moved within the time.

    Raises `Unauthenticated` soon after the end of the caller's key: a key also ends by
    the clock, which no event tells.
    """
    deadline = time.monotonic() + seconds
    while not moved.is_set() and (left := deadline - time.monotonic()) > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(left, KEY_CHECK_SECONDS)):
                await moved.wait()
        require_still_valid(ports, caller)
    return moved.is_set()


def require_content(job: Job) -> None:
    """Raises `NotFound` when what was asked and answered was deleted."""
    if job.content_deleted:
        raise NotFound("what was asked and answered was deleted", code="content_deleted")


async def content_of(ports: ApiPorts, account_id: str, job: Job, sealed: Sealed) -> bytes:
    """What was asked of the job, or answered.

    Raises `PayloadErased`, and `NotFound` when it was deleted, were it while it was read.
    """
    require_content(job)
    try:
        return await ports.payloads.open(account_id, sealed)
    except ValueError:
        require_content(folded(await ports.store.read_stream(job.job_id)))
        raise


def folded(history: History) -> Job:
    """The job as its events tell it."""
    job = fold(history, evolve)
    if job is None:
        raise NotFound("no such job")
    return job
