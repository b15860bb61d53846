"""The message that a receiver gets, without its signature."""

from collections.abc import Sequence
from typing import Any

from domain.event import Event, Recorded
from domain.inference.events import JobAccepted, JobCompleted
from domain.inference.view import head_of, job_object
from domain.sealed import Sealed
from domain.webhooks.events import DeliveryScheduled, PayloadForm
from domain.webhooks.types import RESPONSE_TYPES

# Larger answers are fetched by the receiver from the job's `result_url`.
INLINE_RESULT_BYTES = 64 * 1024


def message(scheduled: DeliveryScheduled, created_at: int, data: dict[str, Any]) -> dict[str, Any]:
    """The envelope; `created_at` is when the event told was recorded, in Unix milliseconds."""
    return {
        "id": scheduled.message_id,
        "object": "event",
        "type": scheduled.event_type,
        "created_at": created_at // 1000,
        "data": data,
    }


def form_of(scheduled: DeliveryScheduled, form: PayloadForm) -> PayloadForm:
    """The form of a message: OpenAI's event types have one alone, whatever the endpoint wants."""
    return "thin" if scheduled.event_type in RESPONSE_TYPES else form


def job_data(
    scheduled: DeliveryScheduled, form: PayloadForm, history: Sequence[Recorded[Event]]
) -> dict[str, Any]:
    """The job as it stood at the event told: its id alone in thin form, else the job object."""
    if scheduled.event_type in RESPONSE_TYPES:
        accepted = history[0].event
        if isinstance(accepted, JobAccepted):
            return {"id": head_of(accepted, history[0].recorded_at).id}
    if form == "thin":
        return {"id": scheduled.job_id}
    return job_object(history)


def ping_data(scheduled: DeliveryScheduled) -> dict[str, Any]:
    """A stand-in that no receiver can take for a real job."""
    return {"id": f"ping_{scheduled.delivery_id}", "object": "ping", "ping": True}


def inline_result(form: PayloadForm, history: Sequence[Recorded[Event]]) -> Sealed | None:
    """The answer that goes into the message itself, if there is one and it is small enough."""
    last = history[-1].event
    if form == "thin" or not isinstance(last, JobCompleted) or last.output is None:
        return None
    return last.output if last.output.size <= INLINE_RESULT_BYTES else None
