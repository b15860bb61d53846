"""The response object of a job that answers `/v1/responses`, at any moment of its life."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from api.histories import History, content_of, folded, history_of
from api.ports import ApiPorts
from domain.dialects.responses.answers import failed_object, response_object
from domain.dialects.responses.items import item_objects
from domain.dialects.surface import Head
from domain.errors import NotFound
from domain.ids import Kind
from domain.inference.events import JobCompleted
from domain.inference.state import Job
from domain.inference.view import failure_told, head_of

PREFIX = "resp_"


async def response_history(ports: ApiPorts, account_id: str, response_id: str) -> History:
    """The events of the job behind a response. Raises `NotFound` unless it is kept."""
    history = await history_once_kept(ports, account_id, response_id)
    if folded(history).content_deleted:
        raise _missing(response_id)
    return history


async def history_once_kept(ports: ApiPorts, account_id: str, response_id: str) -> History:
    """The same also for a response that was deleted since."""
    if not response_id.startswith(PREFIX):
        raise _missing(response_id)
    job_id = f"{Kind.JOB.value}_{response_id.removeprefix(PREFIX)}"
    try:
        history = await history_of(ports, account_id, job_id)
    except NotFound as error:
        raise _missing(response_id) from error
    accepted = folded(history).accepted
    if accepted.endpoint != "/v1/responses" or not accepted.store or accepted.input is None:
        raise _missing(response_id)
    return history


def _missing(response_id: str) -> NotFound:
    return NotFound(f"no such response: {response_id[:80]}", param="response_id")


async def asked_of(ports: ApiPorts, account_id: str, job: Job) -> dict[str, Any]:
    """The body that a response answers. Raises `PayloadErased`, and `NotFound` once deleted."""
    assert job.accepted.input is not None  # noqa: S101 - said by `response_history`
    plain = await content_of(ports, account_id, job, job.accepted.input)
    body: dict[str, Any] = msgspec.json.decode(plain)
    return body


async def response_of(ports: ApiPorts, account_id: str, history: History) -> dict[str, Any]:
    """The response as it stands. Raises `PayloadErased`."""
    job = folded(history)
    asked = await asked_of(ports, account_id, job)
    return await told(ports, account_id, history, asked)


async def told(
    ports: ApiPorts, account_id: str, history: History, asked: Mapping[str, Any]
) -> dict[str, Any]:
    """The same for a body that was read."""
    job, head = folded(history), head_for(history)
    match job.ended:
        case None:
            running = job.status == "running"
            return response_object(asked, head, "in_progress" if running else "queued")
        case JobCompleted(output=output) if output is not None:
            plain = await content_of(ports, account_id, job, output)
            body: dict[str, Any] = msgspec.json.decode(plain)
            if body["status"] == "completed":
                body["completed_at"] = history[-1].recorded_at // 1000
            return body
        case _ if job.status == "cancelled":
            return response_object(asked, head, "cancelled")
        case ended:
            return failed_object(asked, head, failure_told(ended))


def head_for(history: History) -> Head:
    """What the response says about itself."""
    return head_of(folded(history).accepted, history[0].recorded_at)


async def earlier_items(ports: ApiPorts, account_id: str, response_id: str) -> list[Any]:
    """What was said up to and including an earlier response.

    Raises `NotFound` when it was not kept or has no answer.
    """
    history = await response_history(ports, account_id, response_id)
    job = folded(history)
    if not isinstance(job.ended, JobCompleted):
        message = f"the response {response_id[:80]} has no answer to go on with"
        raise NotFound(message, code="previous_response_not_found", param="previous_response_id")
    asked = await asked_of(ports, account_id, job)
    answered = await told(ports, account_id, history, asked)
    return [*items_of(asked["input"]), *answered["output"]]


def items_of(given: str | Sequence[Any]) -> list[Any]:
    """An input as items."""
    return [{"role": "user", "content": given}] if isinstance(given, str) else list(given)


def input_items(asked: Mapping[str, Any], head: Head) -> list[dict[str, Any]]:
    """The items of an input as they are listed, the first one first."""
    return item_objects(items_of(asked["input"]), head.id.removeprefix(PREFIX))
