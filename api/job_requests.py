"""Reading a job submission: what is asked for, checked before anything is recorded."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from domain.durations import seconds_of
from domain.errors import InvalidRequest
from domain.inference.events import Endpoint, Lane

EventName = Literal["job.completed", "job.failed", "job.cancelled", "job.expired"]
MetadataKey = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
MetadataValue = Annotated[str, msgspec.Meta(max_length=512)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], msgspec.Meta(max_length=16)]
T = TypeVar("T")


class WebhookRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Where to call back; no `events` means every terminal one."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
    events: list[EventName] = []


class JobRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/jobs`. `deadline`: Unix seconds, or a duration from now such as "15m"."""

    endpoint: Endpoint
    body: dict[str, Any]
    webhook: WebhookRequest | None = None
    metadata: Metadata = {}
    lane: Lane = "standard"
    deadline: float | str | None = None


def read_document(raw: bytes) -> Any:
    """Reads JSON strictly and whole, so that what is accepted can be read again later.

    Raises `InvalidRequest` for what is not JSON, not UTF-8, nested too deeply or out of range.
    """
    try:
        return msgspec.json.decode(raw)
    except RecursionError as error:
        raise InvalidRequest("the body is nested too deeply", code="invalid_json") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidRequest("the body is not valid JSON", code="invalid_json") from error


def read_request(document: Any) -> JobRequest:
    """What is submitted. Raises `InvalidRequest` with the field at fault."""
    return converted(document, JobRequest, "")


def deadline_at(deadline: float | str | None, now: int) -> int | None:
    """The deadline in Unix milliseconds. Raises `InvalidRequest` unless it lies ahead."""
    if deadline is None:
        return None
    try:
        ahead = seconds_of(deadline) if isinstance(deadline, str) else deadline - now / 1000
    except ValueError as error:
        raise InvalidRequest(str(error), param="deadline") from error
    if not 0 < ahead < 366 * 24 * 3600:
        raise InvalidRequest("the deadline must lie ahead, within a year", param="deadline")
    return now + int(ahead * 1000)


def converted(value: Any, shape: type[T], place: str) -> T:
    """`value` as a `shape`. Raises `InvalidRequest` with the field at fault, under `place`."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        param = (place + path.rstrip("`")).lstrip(".") or None
        raise InvalidRequest(message, param=param) from error
