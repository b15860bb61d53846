"""What commands do to endpoints and deliveries."""

import pytest

from domain.errors import Conflict, NotFound
from domain.event import Event
from domain.webhooks.commands import (
    AbandonDelivery,
    CreateEndpoint,
    DeleteEndpoint,
    DeliveryCommand,
    DisableEndpoint,
    EndpointCommand,
    EnsureDelivery,
    RecordAttempt,
    Redeliver,
    RotateSecret,
    UpdateEndpoint,
)
from domain.webhooks.decide import decide_delivery, decide_endpoint
from domain.webhooks.events import (
    DeliveryAttempted,
    EndpointDeleted,
    EndpointDisabled,
    EndpointSecretRotated,
    EndpointUpdated,
    RedeliveryRequested,
)
from domain.webhooks.retry import Answer, RetryPolicy
from domain.webhooks.state import Delivery, Endpoint, evolve_delivery, evolve_endpoint
from tests.support.webhooks import OTHER_SEALED, SEALED, created, scheduled

POLICY = RetryPolicy(gaps=(5, 300), jitter_share=0)
DISABLED = EndpointDisabled(endpoint_id="whe_1", reason="410 Gone")
DELETED = EndpointDeleted(endpoint_id="whe_1")


def endpoint(*events: Event) -> Endpoint:
    state: Endpoint | None = None
    for event in (created(), *events):
        state = evolve_endpoint(state, event)
    assert state is not None
    return state


def delivery(*events: Event, ping: bool = False) -> Delivery:
    state: Delivery | None = None
    for event in (scheduled(ping=ping), *events):
        state = evolve_delivery(state, event)
    assert state is not None
    return state


def attempt(number: int, status: int | None, retry_after: float | None = None) -> RecordAttempt:
    answer = Answer(status, retry_after)
    return RecordAttempt(number, 10_000, 40, answer, None, POLICY, jitter=0.0)


def after(state: Delivery, command: DeliveryCommand) -> Delivery:
    for event in decide_delivery(state, command):
        state = evolve_delivery(state, event)
    return state


def attempted(state: Delivery, command: DeliveryCommand) -> DeliveryAttempted:
    (event,) = decide_delivery(state, command)
    assert isinstance(event, DeliveryAttempted)
    return event


def test_an_endpoint_is_created_once() -> None:
    with pytest.raises(Conflict):
        decide_endpoint(endpoint(), CreateEndpoint(created()))


def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    (event,) = decide_endpoint(endpoint(), UpdateEndpoint(url="https://example.org/"))
    assert event == EndpointUpdated(
        endpoint_id="whe_1",
        name="",
        url="https://example.org/",
        event_types=("*",),
        payload="full",
        enabled=True,
    )


def test_an_update_that_changes_nothing_records_nothing() -> None:
    assert decide_endpoint(endpoint(), UpdateEndpoint(payload="full")) == ()


def test_an_update_enables_a_disabled_endpoint_again() -> None:
    (event,) = decide_endpoint(endpoint(DISABLED), UpdateEndpoint(enabled=True))
    assert evolve_endpoint(endpoint(DISABLED), event).receives


def test_disabling_twice_records_once() -> None:
    assert decide_endpoint(endpoint(DISABLED), DisableEndpoint("410 Gone")) == ()


@pytest.mark.parametrize(
    "command",
    [UpdateEndpoint(name="x"), RotateSecret(SEALED, "wxyz", 0), DeleteEndpoint()],
)
def test_a_deleted_endpoint_is_not_found(command: EndpointCommand) -> None:
    with pytest.raises(NotFound):
        decide_endpoint(endpoint(DELETED), command)


def test_a_rotated_out_secret_signs_until_its_overlap_ends() -> None:
    rotated = EndpointSecretRotated(
        endpoint_id="whe_1", secret=OTHER_SEALED, secret_hint="wxyz", old_valid_until=5_000
    )
    secrets = endpoint(rotated).secrets
    assert secrets.signing_at(4_999) == (OTHER_SEALED, SEALED)
    assert secrets.signing_at(5_000) == (OTHER_SEALED,)


def test_a_2xx_delivers() -> None:
    assert after(delivery(), attempt(1, 204)).status == "delivered"


@pytest.mark.parametrize("status", [None, 100, 301, 302, 400, 404, 429, 500, 503])
def test_everything_else_is_tried_again(status: int | None) -> None:
    event = attempted(delivery(), attempt(1, status))
    assert (event.result, event.next_attempt_at) == ("retry", 10_000 + 40 + 5_000)


def test_410_ends_the_delivery_as_disabled() -> None:
    assert after(delivery(), attempt(1, 410)).status == "disabled"


def test_a_delivery_fails_after_the_whole_schedule() -> None:
    state = delivery()
    for number in (1, 2, 3):
        assert state.status == "pending"
        state = after(state, attempt(number, 500))
    assert state.status == "failed"


def test_an_attempt_that_was_recorded_already_changes_nothing() -> None:
    state = after(delivery(), attempt(1, 500))
    assert decide_delivery(state, attempt(1, 500)) == ()


def test_an_attempt_after_the_end_changes_nothing() -> None:
    assert decide_delivery(after(delivery(), attempt(1, 200)), attempt(2, 500)) == ()


def test_a_redelivery_starts_the_schedule_again_and_counts_attempts_on() -> None:
    failed = delivery()
    for number in (1, 2, 3):
        failed = after(failed, attempt(number, 500))
    again = after(failed, Redeliver(20_000))
    assert (again.status, again.due_at) == ("pending", 20_000)
    assert attempted(again, attempt(4, 500)).next_attempt_at == 10_000 + 40 + 5_000


def test_a_ping_is_not_tried_again() -> None:
    assert after(delivery(ping=True), attempt(1, 500)).status == "failed"


def test_a_ping_answered_410_disables_nothing() -> None:
    assert attempted(delivery(ping=True), attempt(1, 410)).result == "failed"


def test_an_abandoned_delivery_ends_without_an_answer() -> None:
    event = attempted(delivery(), AbandonDelivery(1, 9_000, "the endpoint is off"))
    assert (event.result, event.status_code, event.error) == (
        "disabled",
        None,
        "the endpoint is off",
    )


def test_ensuring_schedules_what_was_never_scheduled() -> None:
    assert decide_delivery(None, EnsureDelivery(scheduled())) == (scheduled(),)


def test_ensuring_leaves_a_pending_delivery_alone() -> None:
    assert decide_delivery(delivery(), EnsureDelivery(scheduled())) == ()


def test_ensuring_makes_an_ended_delivery_again() -> None:
    ended = after(delivery(), attempt(1, 200))
    assert decide_delivery(ended, EnsureDelivery(scheduled())) == (
        RedeliveryRequested(delivery_id="whd_1", due_at=1_000),
    )


def test_a_delivery_that_never_was_is_not_found() -> None:
    with pytest.raises(NotFound):
        decide_delivery(None, Redeliver(1))
