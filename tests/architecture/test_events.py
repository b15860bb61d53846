"""The event catalogue: complete, well named, and documented as it is."""

import importlib
import pkgutil
import re
from collections import Counter

import pytest

import domain
from adapters.codec.events import topic_of
from domain.event import Event
from domain.event_types import ALL_EVENTS
from infra.catalogue import as_json

FAMILIES = {
    "access",
    "batches",
    "billing",
    "catalog",
    "governance",
    "inference",
    "providers",
    "webhooks",
}
# A fact is told in the past tense; the verb stands last.
NAME = re.compile(r"([a-z]+)\.[a-z]+(?:_[a-z]+)*\.(?:[a-z]+_)*[a-z]+ed")


def _declared() -> set[type[Event]]:
    """Every event type that any module of the domain declares."""
    found: set[type[Event]] = set()
    for module in pkgutil.walk_packages(domain.__path__, "domain."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, Event) and value is not Event:
                found.add(value)
    return found


def test_every_event_type_stands_in_the_catalogue_exactly_once() -> None:
    assert Counter(ALL_EVENTS) == Counter(_declared())


def test_no_two_event_types_have_the_same_name() -> None:
    names = Counter(event_type.event_name for event_type in ALL_EVENTS)
    assert {name: count for name, count in names.items() if count > 1} == {}


@pytest.mark.parametrize("event_type", ALL_EVENTS, ids=topic_of)
def test_a_name_is_family_subject_and_fact_in_the_past_tense(event_type: type[Event]) -> None:
    match = NAME.fullmatch(event_type.event_name)
    assert match is not None
    assert match[1] in FAMILIES


@pytest.mark.parametrize("event_type", ALL_EVENTS, ids=topic_of)
def test_an_event_says_what_happened(event_type: type[Event]) -> None:
    assert event_type.__doc__
    assert not event_type.__doc__.startswith(f"{event_type.__name__}(")


def test_the_json_catalogue_has_a_schema_for_every_event() -> None:
    document = as_json()
    named = {(one["name"], one["version"]) for one in document["events"]}
    assert named == {(one.event_name, one.event_version) for one in ALL_EVENTS}
    assert all(one["schema"]["type"] == "object" for one in document["events"])
    assert "Sealed" in document["$defs"]
