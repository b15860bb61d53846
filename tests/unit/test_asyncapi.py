"""The AsyncAPI document: complete, and of a piece."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from adapters.kafka.topics import FAMILIES
from domain.event import Event
from domain.event_types import ALL_EVENTS
from infra.asyncapi import document


@cache
def spec() -> dict[str, Any]:
    return document("acme")


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for one in part:
            yield from references(one)


def test_it_is_of_version_3() -> None:
    assert spec()["asyncapi"] == "3.0.0"


def test_every_topic_is_a_channel() -> None:
    addresses = {channel["address"] for channel in spec()["channels"].values()}
    assert addresses == {f"acme.{family}" for family in (*FAMILIES, "dead_letters")}


@pytest.mark.parametrize("event_type", ALL_EVENTS)
def test_every_event_is_a_message_of_a_channel(event_type: type[Event]) -> None:
    key = f"{event_type.event_name}.v{event_type.event_version}"
    assert any(key in channel["messages"] for channel in spec()["channels"].values())
    assert spec()["components"]["messages"][key]["payload"]["type"] == "object"


def test_every_reference_leads_somewhere() -> None:
    for reference in references(spec()):
        part: Any = spec()
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def test_every_group_says_which_topics_it_reads() -> None:
    receives = {name for name, one in spec()["operations"].items() if one["action"] == "receive"}
    lanes = ("interactive", "standard", "batch")
    assert receives == {
        *(f"webhooks.receive.inference.{lane}" for lane in lanes),
        *(f"dispatch.receive.inference.{lane}" for lane in lanes),
        "webhooks-delivery.receive.webhooks",
    }


def test_it_names_no_broker_of_an_installation() -> None:
    assert [server["host"] for server in spec()["servers"].values()] == ["kafka:9092"]
