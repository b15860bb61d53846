"""The event codec: what is stored comes back, and what cannot be read is refused."""

from typing import Any

import pytest

from adapters.codec.events import EventCodec, topic_of
from domain.errors import UndecodableEvent
from domain.event import Event, Recorded, event
from domain.event_types import ALL_EVENTS
from tests.support.histories import recorded
from tests.support.samples import sample_recorded

CODEC = EventCodec(ALL_EVENTS)


@event("tests.note.taken", version=3)
class NoteTaken(Event):
    """A note of the third version: the text was called `body` once, and had no words counted."""

    text: str
    words: int
    tags: tuple[str, ...] = ()


@event("tests.note.taken", version=1)
class FirstNoteTaken(Event):
    """The same as the first version wrote it."""

    body: str


def _rename(body: dict[str, Any]) -> dict[str, Any]:
    return {"text": body["body"]}


def _count(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "words": len(body["text"].split())}


NAME = "tests.note.taken"
NOTES = EventCodec((NoteTaken,), {(NAME, 1): _rename, (NAME, 2): _count})


def read(codec: EventCodec, topic: str, state: bytes) -> Recorded[Event]:
    return codec.decode(1, "stream", 1, topic, state)


@pytest.mark.parametrize("event_type", ALL_EVENTS, ids=topic_of)
def test_what_is_stored_comes_back_with_its_envelope(event_type: type[Event]) -> None:
    stored = sample_recorded(event_type)
    topic = topic_of(event_type)
    state = CODEC.encode(stored)
    assert CODEC.decode(stored.position, stored.stream, stored.version, topic, state) == stored


def test_an_old_version_is_upcast_step_by_step() -> None:
    state = EventCodec((FirstNoteTaken,)).encode(recorded(FirstNoteTaken(body="two words")))
    assert read(NOTES, f"{NAME}@1", state).event == NoteTaken(text="two words", words=2)


def test_the_topics_of_a_name_are_those_of_all_its_versions() -> None:
    assert NOTES.topics_named((NAME,)) == [f"{NAME}@1", f"{NAME}@2", f"{NAME}@3"]


def test_an_optional_field_that_was_not_stored_has_its_default() -> None:
    state = NOTES.encode(recorded(NoteTaken(text="a", words=1)))
    older = state.replace(b',"tags":[]', b"")
    assert older != state
    assert read(NOTES, f"{NAME}@3", older).event == NoteTaken(text="a", words=1)


@pytest.mark.parametrize(
    ("topic", "state"),
    [
        (f"{NAME}@3", b""),
        (f"{NAME}@3", b"{}"),
        (f"{NAME}@3", b"\xff"),
        (f"{NAME}@1", NOTES.encode(recorded(NoteTaken(text="a", words=1)))),
        (f"{NAME}@4", NOTES.encode(recorded(NoteTaken(text="a", words=1)))),
        (f"{NAME}@x", NOTES.encode(recorded(NoteTaken(text="a", words=1)))),
        ("tests.note.lost@1", NOTES.encode(recorded(NoteTaken(text="a", words=1)))),
    ],
)
def test_what_cannot_be_read_is_refused(topic: str, state: bytes) -> None:
    with pytest.raises(UndecodableEvent, match="position 1, "):
        read(NOTES, topic, state)


def test_a_value_of_another_type_is_refused() -> None:
    state = NOTES.encode(recorded(NoteTaken(text="a", words=1)))
    with pytest.raises(UndecodableEvent):
        read(NOTES, f"{NAME}@3", state.replace(b'"words":1', b'"words":"one"'))
