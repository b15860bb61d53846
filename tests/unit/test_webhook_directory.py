"""Who is told of what."""

from dataclasses import replace

import pytest

from domain.event import Event, Recorded
from domain.inference.events import TERMINAL, JobCompleted, Usage, WebhookTarget
from domain.webhooks.directory import Directory
from domain.webhooks.events import (
    DefaultSecretRotated,
    EndpointDeleted,
    EndpointDisabled,
    EndpointUpdated,
)
from domain.webhooks.schedule import deliveries_of
from domain.webhooks.types import EVENT_TYPES, RESPONSE_TYPES, TYPE_OF, type_for
from tests.support.histories import recorded
from tests.support.webhooks import ACCOUNT, OTHER_SEALED, SEALED, created, failed, opened

URL = "https://example.com/own"
COMPLETED = JobCompleted(
    job_id="job_1",
    lease_id="lease_1",
    provider="h1",
    native_id="alpha",
    usage=Usage(input_tokens=1, output_tokens=1),
    raw_usage=None,
    finish_reason="stop",
    attempts=(),
    cost_picodollars=1,
)


def on_stream(*events: Event, stream: str = "whe_1") -> list[Recorded[Event]]:
    return [
        recorded(event, position=number, version=number, stream=stream)
        for number, event in enumerate(events, 1)
    ]


def targets(directory: Directory, webhook: WebhookTarget | None = None) -> list[str]:
    ended = recorded(failed(webhook=webhook), position=50)
    return [d.endpoint_id or d.url for d in deliveries_of(ended, directory)]  # type: ignore[arg-type]


def updated(*, enabled: bool = True, event_types: tuple[str, ...] = ("*",)) -> EndpointUpdated:
    return EndpointUpdated(
        endpoint_id="whe_1",
        name="",
        url=URL,
        event_types=event_types,
        payload="thin",
        enabled=enabled,
    )


def test_an_endpoint_for_every_type_is_told() -> None:
    assert targets(Directory(on_stream(created()))) == ["whe_1"]


def test_an_endpoint_is_told_of_the_types_it_asked_for_alone() -> None:
    assert targets(Directory(on_stream(created(event_types=("job.completed",))))) == []
    assert targets(Directory(on_stream(created(event_types=("job.failed",))))) == ["whe_1"]


def test_another_accounts_endpoint_is_not_told() -> None:
    assert targets(Directory(on_stream(created(account_id="acct_other")))) == []


@pytest.mark.parametrize(
    "end",
    [
        EndpointDisabled(endpoint_id="whe_1", reason="410 Gone"),
        EndpointDeleted(endpoint_id="whe_1"),
        updated(enabled=False),
    ],
)
def test_an_endpoint_that_is_off_is_not_told(end: Event) -> None:
    assert targets(Directory(on_stream(created(), end))) == []


def test_an_endpoint_that_was_created_later_is_not_told() -> None:
    directory = Directory(
        [
            recorded(created(), position=51, version=1, stream="whe_1"),
            *on_stream(created("whe_2"), stream="whe_2"),
        ]
    )
    directory.apply(recorded(updated(), position=52, version=2, stream="whe_1"))
    assert targets(directory) == ["whe_2"]


def test_every_subscribed_endpoint_is_told() -> None:
    history = [*on_stream(created()), *on_stream(created("whe_2"), stream="whe_2")]
    assert targets(Directory(history)) == ["whe_1", "whe_2"]


def test_a_jobs_own_url_is_told_of_every_end_unless_it_chose() -> None:
    assert targets(Directory(), WebhookTarget(url=URL)) == [URL]


def test_a_jobs_own_url_is_told_of_the_types_it_chose_alone() -> None:
    assert targets(Directory(), WebhookTarget(url=URL, events=("job.completed",))) == []
    assert targets(Directory(), WebhookTarget(url=URL, events=("job.failed",))) == [URL]


def test_scheduling_twice_names_the_same_deliveries() -> None:
    directory = Directory(on_stream(created()))
    ended: Recorded[Event] = recorded(failed(webhook=WebhookTarget(url=URL)), position=50)
    once, again = deliveries_of(ended, directory), deliveries_of(ended, directory)  # type: ignore[arg-type]
    assert once == again
    assert len({d.delivery_id for d in once}) == 2


def test_every_target_gets_the_id_of_the_event_told() -> None:
    directory = Directory(on_stream(created()))
    ended: Recorded[Event] = recorded(failed(webhook=WebhookTarget(url=URL)), position=50)
    assert {d.message_id for d in deliveries_of(ended, directory)} == {ended.event_id}  # type: ignore[arg-type]


def test_an_event_that_comes_twice_or_late_changes_nothing() -> None:
    history = on_stream(created(), updated(event_types=("job.completed",)), updated())
    directory = Directory(history)
    before = directory.get(ACCOUNT, "whe_1")
    for late in history:
        directory.apply(late)
    assert directory.get(ACCOUNT, "whe_1") == before


def test_an_endpoint_is_found_in_its_own_account_alone() -> None:
    directory = Directory(on_stream(created()))
    assert directory.get("acct_other", "whe_1") is None


def test_a_deleted_endpoint_is_no_longer_listed() -> None:
    directory = Directory(on_stream(created(), EndpointDeleted(endpoint_id="whe_1")))
    assert directory.of_account(ACCOUNT) == ()
    assert directory.get(ACCOUNT, "whe_1") is None


def test_the_default_secret_is_that_of_the_account_until_it_is_rotated() -> None:
    directory = Directory([recorded(opened())])
    rotated = DefaultSecretRotated(account_id=ACCOUNT, secret=OTHER_SEALED, old_valid_until=5_000)
    secrets = directory.default_secrets(ACCOUNT)
    assert secrets is not None
    assert secrets.signing_at(0) == (SEALED,)
    for _ in range(2):
        directory.apply(recorded(rotated, position=2, version=1, stream="whe_default"))
    secrets = directory.default_secrets(ACCOUNT)
    assert secrets is not None
    assert secrets.signing_at(0) == (OTHER_SEALED, SEALED)


def test_customers_are_told_of_every_way_in_which_a_job_ends() -> None:
    assert set(TYPE_OF) == set(TERMINAL)
    assert set(TYPE_OF.values()) | set(RESPONSE_TYPES) == set(EVENT_TYPES)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (("response.completed", "job.completed"), "response.completed"),
        (("response.failed", "job.completed"), "job.completed"),
        (("*",), "job.completed"),
        (("response.failed",), None),
    ],
)
def test_a_response_is_told_of_once_and_under_its_own_name_where_that_was_named(
    wanted: tuple[str, ...], told: str | None
) -> None:
    ended = replace(COMPLETED, told_as="response")
    assert type_for(wanted, ended) == told


def test_a_response_that_was_cut_short_is_incomplete() -> None:
    ended = replace(COMPLETED, told_as="response", finish_reason="length")
    assert type_for(("response.incomplete",), ended) == "response.incomplete"


def test_a_job_is_never_told_of_as_a_response() -> None:
    assert type_for(("response.completed",), COMPLETED) is None
