"""Server-sent events out of bytes that come in any portions."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.replies import StreamedReading
from adapters.providers.sse import ServerSentEvent, SseParser

STREAM = b"event: a\r\ndata: 1\r\n\r\ndata: 2\rdata: 3\r\r: comment\ndata:4\n\ndata: 5"
EVENTS = [
    ServerSentEvent("a", b"1"),
    ServerSentEvent("", b"2\n3"),
    ServerSentEvent("", b"4"),
    ServerSentEvent("", b"5"),
]
MEGABYTES = 8 * 2**20


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=12))
def test_where_the_bytes_are_cut_makes_no_difference(cuts: list[int]) -> None:
    parser = SseParser()
    events: list[ServerSentEvent] = []
    places = [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(places):
        events.extend(parser.feed(STREAM[start:end]))
    assert [*events, *parser.end()] == EVENTS


@pytest.mark.parametrize("reader", [SseParser, lambda: StreamedReading(1)])
def test_a_line_of_megabytes_does_not_stop_the_node(reader: type[SseParser]) -> None:
    """An image comes as one line. Put together anew with each part it took half a minute."""
    line = b'data: {"choices": [], "x": "' + b"a" * MEGABYTES + b'"}\n\n'
    reading, started = reader(), time.process_time()
    for place in range(0, len(line), 2**14):
        list(reading.feed(line[place : place + 2**14]))
    assert time.process_time() - started < 2
