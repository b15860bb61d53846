"""The job object that customers see, made from the job's events.

The HTTP surface, the webhooks and the command line all show this one form (DESIGN §6). Times
are Unix seconds, money decimal strings in USD.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.dialects.surface import Head
from domain.event import Event, Recorded
from domain.execute import fold
from domain.inference.events import (
    TERMINAL,
    CancelRequested,
    ContentDeleted,
    Endpoint,
    Failure,
    JobAccepted,
    JobCancelled,
    JobCompleted,
    JobExpired,
    JobFailed,
    JobStarted,
    Usage,
    WebhookTarget,
)
from domain.inference.state import Job, evolve
from domain.money import picodollars_to_usd

CANCELLED = Failure(code="job_cancelled", message="the request was cancelled", status_code=409)
EXPIRED = Failure(
    code="deadline_exceeded", message="the deadline passed before an answer", status_code=504
)

_NOTHING: Mapping[str, Any] = {}
# How the id of an answer begins, by endpoint.
_ID_PREFIX: Mapping[Endpoint, str] = {
    "/v1/chat/completions": "chatcmpl-",
    "/v1/embeddings": "emb-",
    "/v1/completions": "cmpl-",
    "/v1/messages": "msg_",
    "/v1/responses": "resp_",
}
# What is told of the first event of each type.
_TIMES: Mapping[type[Event], str] = {
    JobAccepted: "created",
    JobStarted: "started",
    CancelRequested: "cancel_requested",
    **dict.fromkeys(TERMINAL, "finished"),
    ContentDeleted: "content_deleted",
}


def head_of(accepted: JobAccepted, accepted_at: int, asked: Mapping[str, Any] = _NOTHING) -> Head:
    """What the answer of a job says about itself; `accepted_at` is Unix milliseconds."""
    body = accepted.job_id.partition("_")[2]
    return Head(_ID_PREFIX[accepted.endpoint] + body, accepted.model, accepted_at // 1000, asked)


def seconds(milliseconds: int | None) -> float | None:
    """Unix milliseconds as Unix seconds."""
    return None if milliseconds is None else milliseconds / 1000


def usage_object(usage: Usage | None) -> dict[str, Any] | None:
    """Usage as customers see it."""
    if usage is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "source": usage.source,
    }


def webhook_object(webhook: WebhookTarget | None) -> dict[str, Any] | None:
    """A job's own webhook as customers see it."""
    return None if webhook is None else {"url": webhook.url, "events": list(webhook.events)}


def failure_of(job: Job) -> Failure | None:
    """Why the job has no answer, if that is how it ended."""
    match job.ended:
        case JobFailed(failure=failure):
            return failure
        case JobExpired():
            return EXPIRED
        case _:
            return None


def failure_told(ended: Event) -> Failure:
    """What a client that waits for an answer is told instead, given the terminal event."""
    match ended:
        case JobFailed(failure=failure):
            return failure
        case JobExpired():
            return EXPIRED
        case _:
            return CANCELLED


def job_object(history: Sequence[Recorded[Event]]) -> dict[str, Any]:
    """The job object of a job's whole history (its first event is the acceptance)."""
    job = fold(history, evolve)
    if job is None:
        raise ValueError("a job has at least one event")
    times = _times(history)
    completed = job.ended if isinstance(job.ended, JobCompleted) else None
    charged = job.ended if isinstance(job.ended, JobCompleted | JobCancelled) else None
    failure = failure_of(job)
    shown: dict[str, Any] = {
        "id": job.job_id,
        "object": "job",
        "status": job.status,
        "endpoint": job.accepted.endpoint,
        "model": (completed and completed.model) or job.accepted.model,
        "lane": job.accepted.lane,
        "created_at": seconds(times["created"]),
        "started_at": seconds(times.get("started")),
        "finished_at": seconds(times.get("finished")),
        "deadline_at": seconds(job.accepted.deadline_at),
        "attempts": len(job.ended.attempts if job.ended else job.failed_attempts),
        "provider": completed.provider if completed else None,
        "usage": usage_object(charged.usage if charged else None),
        "cost_usd": picodollars_to_usd(charged.cost_picodollars if charged else 0)
        if job.is_ended
        else None,
        "result_url": _result_url(job),
        "error": None if failure is None else {"code": failure.code, "message": failure.message},
        "metadata": job.accepted.metadata,
        "webhook": webhook_object(job.accepted.webhook),
    }
    for name in ("cancel_requested", "content_deleted"):
        if name in times:
            shown[f"{name}_at"] = seconds(times[name])
    return shown


def _result_url(job: Job) -> str | None:
    if job.content_deleted or not isinstance(job.ended, JobCompleted) or job.ended.output is None:
        return None
    return f"/v1/jobs/{job.job_id}/result"


def _times(history: Sequence[Recorded[Event]]) -> dict[str, int]:
    """When the job was created, first started, asked to stop and so on, in Unix milliseconds."""
    times: dict[str, int] = {}
    for recorded in history:
        name = _TIMES.get(type(recorded.event))
        if name is not None:
            times.setdefault(name, recorded.recorded_at)
    return times
