"""The events of a job. Every job ends in exactly one of `TERMINAL`.

A terminal event repeats the job's own webhook and how it is told of, so that whoever reads it
knows whom to tell and in which words.
"""

from typing import Literal, get_args

from domain.event import Event, event
from domain.sealed import Sealed
from domain.value import value

Lane = Literal["interactive", "standard", "batch"]
LANES: tuple[Lane, ...] = ("interactive", "standard", "batch")
Endpoint = Literal[
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/messages",
    "/v1/responses",
]
ENDPOINTS: tuple[Endpoint, ...] = get_args(Endpoint)
# Who counted the tokens: the provider, the model's own tokeniser here, or nobody exactly.
UsageSource = Literal["provider", "tokenizer", "estimate"]
# What becomes of an answer whose client hung up (promise P8).
DisconnectPolicy = Literal["cancel", "finish", "finish_and_store"]
# Under which names the end of a job is told of: as a job's alone, or as a response's too.
Telling = Literal["job", "response"]
DISCONNECT_POLICIES: tuple[DisconnectPolicy, ...] = get_args(DisconnectPolicy)


@value(kw_only=True)
class OfferRef:
    """A model at a provider, as resolved at admission; priced by the job's price version.

    With `own_key` it is called with the account's own key of this id, and costs nothing here.
    """

    provider: str
    native_id: str
    own_key: str | None = None


@value(kw_only=True)
class Fallback:
    """Another model that may answer, its offers, and the prices that it is pinned to."""

    model: str
    price_version: str
    offers: tuple[OfferRef, ...]


@value(kw_only=True)
class WebhookTarget:
    """The job's own callback: where to, and which event types (empty: every terminal one)."""

    url: str
    events: tuple[str, ...] = ()


@value(kw_only=True)
class Usage:
    """Tokens as the provider counted them, or as counted or estimated here where it did not.

    `input_tokens` includes what was read from the cache, what was written to it (for five minutes
    or an unnamed time, and for an hour) and the audio; `output_tokens` includes `reasoning_tokens`
    and the audio. `searches` of the web are None where the provider does not say.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    source: UsageSource = "provider"
    searches: int | None = None


@value(kw_only=True)
class AttemptRecord:
    """One call to one offer: when, how long, and how it ended (`outcome` "ok" or a failure).

    `own_key` is the id of the account's own key that it was made with.
    """

    provider: str
    native_id: str
    started_at: int
    duration_ms: int
    outcome: str
    status_code: int | None = None
    own_key: str | None = None


@value(kw_only=True)
class Failure:
    """Why a job has no answer: a stable code, a message free of upstream text, an HTTP status."""

    code: str
    message: str
    status_code: int


@event("inference.job.accepted", version=1)
class JobAccepted(Event):
    """A submission was made durable and its worst case `hold_picodollars` set aside.

    A request whose client waits for the answer says what becomes of it `on_disconnect`; a job that
    waits in the queue has None there. Such a request is run by the node that took it, and its
    `input` is kept only where another node may have to finish it, or where the answer is to be
    told with it. `store` says whether the answer is kept, `stream` that its events are buffered
    for clients that come and go.
    `fallbacks` are the models that the caller named to answer in place of `model`. With `prefill`
    its offers can go on from half an answer.
    """

    job_id: str
    endpoint: Endpoint
    model: str
    requested_model: str
    lane: Lane
    offers: tuple[OfferRef, ...]
    price_version: str
    hold_picodollars: int
    estimated_input_tokens: int
    max_output_tokens: int
    input: Sealed | None = None
    input_hash: str
    metadata: dict[str, str]
    deadline_at: int | None = None
    webhook: WebhookTarget | None = None
    on_disconnect: DisconnectPolicy | None = None
    store: bool = True
    fallbacks: tuple[Fallback, ...] = ()
    prefill: bool = False
    stream: bool = False
    told_as: Telling = "job"


@event("inference.job.started", version=1)
class JobStarted(Event):
    """A worker took the lease; recorded before any provider is called."""

    job_id: str
    lease_id: str
    worker_id: str
    lease_until: int


@event("inference.attempt.failed", version=1)
class AttemptFailed(Event):
    """One attempt failed and the job goes on; never billed."""

    job_id: str
    lease_id: str
    attempt: AttemptRecord


@event("inference.job.lease_expired", version=1)
class LeaseExpired(Event):
    """The worker that held the lease is gone; the job is queued again."""

    job_id: str
    lease_id: str


@event("inference.job.cancel_requested", version=1)
class CancelRequested(Event):
    """The customer asked a running job to stop."""

    job_id: str


@event("inference.job.completed", version=1)
class JobCompleted(Event):
    """The answer is complete; its charge stands in the same transaction.

    `raw_usage` is the provider's own usage object as JSON text, untouched, for re-rating. `output`
    is the answer where it is kept; `dropped` names parameters that the provider could not be given.
    `model` is the one that answered, where it is not the job's own.
    """

    job_id: str
    lease_id: str
    provider: str
    native_id: str
    usage: Usage
    raw_usage: str | None
    finish_reason: str | None
    output: Sealed | None = None
    attempts: tuple[AttemptRecord, ...]
    cost_picodollars: int
    webhook: WebhookTarget | None = None
    dropped: tuple[str, ...] = ()
    model: str | None = None
    told_as: Telling = "job"


@event("inference.job.failed", version=1)
class JobFailed(Event):
    """No offer could answer; nothing is charged and the hold is released."""

    job_id: str
    failure: Failure
    attempts: tuple[AttemptRecord, ...] = ()
    webhook: WebhookTarget | None = None
    told_as: Telling = "job"


@event("inference.job.cancelled", version=1)
class JobCancelled(Event):
    """The customer stopped the job.

    Where some of the answer had been streamed to them, `usage` is what it is charged for, in the
    same transaction; else nothing was delivered and nothing is charged.
    """

    job_id: str
    attempts: tuple[AttemptRecord, ...] = ()
    webhook: WebhookTarget | None = None
    usage: Usage | None = None
    cost_picodollars: int = 0
    told_as: Telling = "job"


@event("inference.job.expired", version=1)
class JobExpired(Event):
    """The deadline passed before an answer was complete; nothing is charged."""

    job_id: str
    attempts: tuple[AttemptRecord, ...] = ()
    webhook: WebhookTarget | None = None
    told_as: Telling = "job"


@event("inference.job.content_deleted", version=1)
class ContentDeleted(Event):
    """The customer deleted what was asked and answered, after the job's end.

    What stands in blobs and stream buffers is discarded. What is small stands in the log itself, as
    ciphertext that nothing opens any more; it goes with the account's key.
    """

    job_id: str


def is_charged(event: Event) -> bool:
    """Whether a terminal event stands beside a charge."""
    return isinstance(event, JobCompleted) or (
        isinstance(event, JobCancelled) and event.usage is not None
    )


TERMINAL = (JobCompleted, JobFailed, JobCancelled, JobExpired)
EVENTS: tuple[type[Event], ...] = (
    JobAccepted,
    JobStarted,
    AttemptFailed,
    LeaseExpired,
    CancelRequested,
    *TERMINAL,
    ContentDeleted,
)
