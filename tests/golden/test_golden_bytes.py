"""Whatever was ever stored can be read for ever, and means what it meant."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.codec.events import EventCodec, topic_of
from domain.event import Event
from domain.event_types import ALL_EVENTS
from tests.golden.write import FOLDER, golden_files, topic_in
from tests.support.samples import sample_recorded

CODEC = EventCodec(ALL_EVENTS)
FILES = sorted(FOLDER.glob("*.json"))
by_topic = pytest.mark.parametrize("event_type", ALL_EVENTS, ids=topic_of)
by_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


@by_topic
def test_every_event_has_golden_bytes_of_its_present_shape(event_type: type[Event]) -> None:
    encoded = CODEC.encode(sample_recorded(event_type))
    assert encoded in [path.read_bytes() for path in golden_files(event_type)], (
        "the event is new or its shape has changed: give it a new version and an upcast unless "
        "the change is an optional field, then run python -m tests.golden.write"
    )


@by_topic
def test_golden_bytes_of_the_present_shape_decode_to_the_sample(event_type: type[Event]) -> None:
    expected = sample_recorded(event_type)
    decoded = [_decoded(path) for path in golden_files(event_type)]
    assert expected in decoded


@by_file
def test_whatever_was_stored_reads_the_same_after_a_change_of_shape(path: Path) -> None:
    """A version may gain optional fields; what it had keeps its name and its value."""
    if topic_in(path) not in CODEC.topics.values():
        pytest.skip("an older version: its upcast tells what it means")
    before = msgspec.json.decode(path.read_bytes())
    after = msgspec.json.decode(CODEC.encode(_decoded(path)))
    assert _without_additions(after, before) == before


@by_file
def test_golden_bytes_of_every_version_decode(path: Path) -> None:
    assert _decoded(path).event.event_name == topic_in(path).partition("@")[0]


def _decoded(path: Path) -> Any:
    return CODEC.decode(7, "stream_1", 3, topic_in(path), path.read_bytes())


def _without_additions(after: Any, before: Any) -> Any:
    if isinstance(after, dict) and isinstance(before, dict):
        return {
            name: _without_additions(after[name], before[name]) for name in before if name in after
        }
    if isinstance(after, list) and isinstance(before, list) and len(after) == len(before):
        return [_without_additions(*pair) for pair in zip(after, before, strict=True)]
    return after
