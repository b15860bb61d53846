"""Request bodies of the webhook routes; unknown fields are refused."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from api.bodies import Body, UnixSeconds
from domain.webhooks.events import PayloadForm

DAY_SECONDS = 24 * 3600
EventType = Literal[
    "job.completed",
    "job.failed",
    "job.cancelled",
    "job.expired",
    "response.completed",
    "response.failed",
    "response.cancelled",
    "response.incomplete",
]
EventTypes = Annotated[list[EventType | Literal["*"]], Field(min_length=1, max_length=50)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Name = Annotated[str, StringConstraints(max_length=100)]


class EndpointBody(Body):
    """`POST /v1/webhook_endpoints`; the type `*` stands for all, also those to come."""

    url: Url
    event_types: EventTypes
    name: Name = ""
    payload: PayloadForm = "full"


class EndpointChanges(Body):
    """`POST /v1/webhook_endpoints/{id}`; what is left out stays."""

    url: Url | None = None
    event_types: EventTypes | None = None
    name: Name | None = None
    payload: PayloadForm | None = None
    enabled: bool | None = None


class SecretRotationBody(Body):
    """How long the old secret signs beside the new one; not at all by default."""

    keep_old_secret_active_for_24_hours: bool = False
    overlap_seconds: Annotated[int, Field(ge=0, le=7 * DAY_SECONDS)] | None = None

    @property
    def overlap(self) -> int:
        """Seconds."""
        if self.overlap_seconds is not None:
            return self.overlap_seconds
        return DAY_SECONDS if self.keep_old_secret_active_for_24_hours else 0


class PingBody(Body):
    """`POST /v1/webhook_endpoints/{id}/test`."""

    event_type: EventType = "job.completed"


class ReplayBody(Body):
    """`POST /v1/webhook_endpoints/{id}/replay`: the events recorded in that time.

    `after` goes on where an earlier call stopped: its `next_after`.
    """

    since: UnixSeconds
    until: UnixSeconds | None = None
    after: Annotated[int, Field(ge=0, lt=2**53)] = 0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until is not None and self.until < self.since:
            raise ValueError("until lies before since")
        return self
