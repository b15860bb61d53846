"""Events of endpoints, deliveries and ended jobs, for tests."""

from domain.access.events import AccountOpened
from domain.inference.events import Failure as JobFailure
from domain.inference.events import JobFailed, WebhookTarget
from domain.sealed import Sealed
from domain.webhooks.events import DeliveryScheduled, EndpointCreated, PayloadForm

ACCOUNT = "acct_test"
SEALED = Sealed("key", "context", 3, inline=b"abc")
OTHER_SEALED = Sealed("key", "context", 3, inline=b"xyz")


def opened(account_id: str = ACCOUNT) -> AccountOpened:
    return AccountOpened(account_id=account_id, name="Acme", default_webhook_secret=SEALED)


def created(
    endpoint_id: str = "whe_1",
    *,
    account_id: str = ACCOUNT,
    url: str = "https://example.com/hook",
    event_types: tuple[str, ...] = ("*",),
    payload: PayloadForm = "full",
    secret: Sealed = SEALED,
) -> EndpointCreated:
    return EndpointCreated(
        endpoint_id=endpoint_id,
        account_id=account_id,
        name="",
        url=url,
        event_types=event_types,
        payload=payload,
        secret=secret,
        secret_hint="abcd",
    )


def failed(job_id: str = "job_1", webhook: WebhookTarget | None = None) -> JobFailed:
    failure = JobFailure(code="provider_error", message="no offer answered", status_code=502)
    return JobFailed(job_id=job_id, failure=failure, webhook=webhook)


def scheduled(
    delivery_id: str = "whd_1", *, endpoint_id: str | None = "whe_1", ping: bool = False
) -> DeliveryScheduled:
    return DeliveryScheduled(
        delivery_id=delivery_id,
        message_id="evt_1",
        event_type="job.failed",
        url="https://example.com/hook",
        endpoint_id=endpoint_id,
        job_id="job_1",
        source_position=1,
        due_at=1_000,
        ping=ping,
    )
