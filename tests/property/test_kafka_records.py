"""What goes into a Kafka record comes out byte for byte."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codec.events import EventCodec, topic_of
from adapters.kafka.records import EventRecord, NotAnEvent, decode, position_of, record_of, row_of
from domain.event import ActorType, Event, Recorded
from domain.event_types import ALL_EVENTS
from domain.ports.event_store import Unreadable
from domain.ports.stored_rows import StoredRow
from tests.support.samples import sample, sample_recorded

CODEC = EventCodec(ALL_EVENTS)
# A Unicode string as JSON can hold it.
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
ACTORS: st.SearchStrategy[ActorType] = st.sampled_from(["key", "user", "system"])
POSITIONS = st.integers(1, 2**62)


@st.composite
def recorded_events(draw: st.DrawFn) -> Recorded[Event]:
    return Recorded(
        draw(POSITIONS),
        draw(TEXT),
        draw(st.integers(1, 10**9)),
        draw(TEXT),
        draw(st.integers(-(10**12), 10**15)),
        draw(TEXT),
        draw(ACTORS),
        draw(TEXT),
        draw(TEXT),
        draw(st.none() | TEXT),
        draw(st.none() | TEXT),
        sample(draw(st.sampled_from(ALL_EVENTS))),
    )


def row_from(recorded: Recorded[Event]) -> StoredRow:
    return StoredRow(
        recorded.position,
        recorded.stream,
        recorded.version,
        topic_of(type(recorded.event)),
        CODEC.encode(recorded),
    )


@given(recorded_events())
def test_everything_the_codec_writes_comes_back(recorded: Recorded[Event]) -> None:
    row = row_from(recorded)
    record = record_of(row)
    assert row_of(record) == row
    assert decode(record, CODEC) == recorded
    assert position_of(record) == recorded.position


@given(POSITIONS, TEXT, TEXT | st.from_regex(r"[a-z.]+@[0-9]+", fullmatch=True), st.binary())
def test_what_is_no_envelope_travels_as_it_is(
    position: int, stream: str, topic: str, state: bytes
) -> None:
    row = StoredRow(position, stream, 3, topic, state)
    assert row_of(record_of(row)) == row


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"{",
        # With a space that our encoder does not write.
        b'{"id": "e","at":1,"account":"a","actor":["key","k"],"correlation":"c","data":{}}',
        b'{"id":"e","at":1,"account":"a","actor":["key","k"],"correlation":"c","data":{},"new":1}',
        b'{"id":"e","at":1,"account":"a","actor":["key","k"],"correlation":"c","data":{}}',
    ],
)
def test_a_state_of_any_form_comes_back(state: bytes) -> None:
    row = StoredRow(9, "s", 1, "inference.job.accepted@1", state)
    assert row_of(record_of(row)).state == state


def test_an_unreadable_event_is_read_as_such() -> None:
    row = StoredRow(9, "s", 1, "inference.job.accepted@1", b"\xff no JSON")
    entry = decode(record_of(row), CODEC)
    assert isinstance(entry, Unreadable)
    assert (entry.position, entry.state) == (9, row.state)


@pytest.mark.parametrize("event_type", ALL_EVENTS, ids=topic_of)
def test_the_envelope_stands_in_headers_named_as_cloudevents(event_type: type[Event]) -> None:
    record = record_of(row_from(sample_recorded(event_type)))
    assert record.key == b"stream_1"
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"evt_00000000000000000000000000000001",
        "ce_source": b"gatewayz",
        "ce_type": event_type.event_name.encode(),
        "ce_subject": b"stream_1",
        "ce_time": b"2023-11-14T22:13:20.123Z",
        "content-type": b"application/json",
        "ce_position": b"7",
        "ce_streamversion": b"3",
        "ce_eventversion": str(event_type.event_version).encode(),
        "ce_account": b"acct_00000000000000000000000000000002",
        "ce_actortype": b"key",
        "ce_actorid": b"key_00000000000000000000000000000003",
        "ce_correlationid": b"req_00000000000000000000000000000004",
        "ce_causationid": b"evt_00000000000000000000000000000005",
        "ce_traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    assert record.value == CODEC._encoder.encode(sample(event_type))


def without(record: EventRecord, name: str) -> EventRecord:
    headers = [one for one in record.headers if one[0] != name]
    return EventRecord(record.key, record.value, headers)


@pytest.mark.parametrize("missing", ["ce_position", "ce_type", "ce_time", "ce_streamversion"])
def test_a_record_that_is_no_event_is_refused(missing: str) -> None:
    record: Any = without(record_of(row_from(sample_recorded(ALL_EVENTS[0]))), missing)
    with pytest.raises(NotAnEvent):
        row_of(record)
