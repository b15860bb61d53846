"""Answers keep their meaning on their way between wires, however their bytes are cut."""

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.providers.anthropic_replies import MessagePieceReader, StreamedMessage
from adapters.providers.chat_pieces import ChatPieceReader
from adapters.providers.translated import PieceReader
from domain.dialects.canonical import Choice, Part, Refusal, Text, Thinking, ToolCall
from domain.dialects.chat.replies import ChunkReader
from domain.dialects.collecting import Collector
from domain.dialects.messages.replies import EventReader
from domain.dialects.pieces import (
    Finished,
    Piece,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolArguments,
    ToolStarted,
)
from domain.dialects.surface import Delta
from domain.dialects.surfaces import SURFACES
from domain.ports.provider import ProviderFailure
from tests.support.scripted_anthropic import REDACTED, TEXT, THINKING, events, sse, tool_use
from tests.support.scripted_provider import chunk, words

EVENTS = sse(events(THINKING, REDACTED, TEXT, tool_use("t", "f", {"x": "é世"})))
_CALL = {"index": 0, "id": "t", "function": {"name": "f", "arguments": '{"x":"é世"}'}}
CHUNKS = "".join(
    f"data: {part}\n\n"
    for part in [
        chunk({"reasoning_content": "Grüße"}),
        *words("Grüße, 世界 and all."),
        chunk({"tool_calls": [_CALL]}),
        "[DONE]",
    ]
).encode()
texts = st.text(min_size=1, max_size=8)
objects = st.dictionaries(texts, st.integers() | texts, max_size=3)


@st.composite
def answers(draw: st.DrawFn) -> list[Piece]:
    """The pieces of one answer: thinking, text, and tool calls whose arguments come mixed."""
    thinking = [ThinkingDelta(text) for text in draw(st.lists(texts, max_size=3))]
    signed: list[Piece] = []
    is_signed: bool = draw(st.booleans())
    if thinking and is_signed:
        signed = [ThinkingSigned(vendor="anthropic", signature="S")]
    said = [TextDelta(text) for text in draw(st.lists(texts, max_size=3))]
    inputs = draw(st.lists(objects, max_size=3))
    calls: list[Piece] = [
        ToolStarted(index=i, id=f"call_{i}", name=f"f{i}") for i in range(len(inputs))
    ]
    queues = [[json.dumps(one)[k : k + 3] for k in range(0, len(json.dumps(one)), 3)]
              for one in inputs]  # fmt: skip
    while waiting := [i for i, queue in enumerate(queues) if queue]:
        index = draw(st.sampled_from(waiting))
        calls.append(ToolArguments(index, queues[index].pop(0)))
    return [*thinking, *signed, *said, *calls, Finished("tool_calls" if inputs else "stop")]


def collected(pieces: Iterable[Piece]) -> Choice:
    collector = Collector()
    for piece in pieces:
        collector.add(piece)
    return collector.answer().choices[0]


def deltas(endpoint: Any, pieces: Iterable[Piece]) -> Iterator[Delta]:
    renderer = SURFACES[endpoint].renderer()
    for piece in pieces:
        yield from renderer.deltas(piece)


def meaning(choice: Choice) -> tuple[list[Part], str]:
    """What an answer says; an empty text and the spaces of JSON say nothing."""
    parts = [
        ToolCall(id=part.id, name=part.name, arguments=str(json.loads(part.arguments or "{}")))
        if isinstance(part, ToolCall)
        else part
        for part in choice.parts
        if not isinstance(part, Text | Refusal) or part.text
    ]
    return parts, choice.finish


def without_marks(choice: Choice) -> tuple[list[Part], str]:
    """The same; Anthropic's reader takes our mark for a signature, as it takes any."""
    parts, finish = meaning(choice)
    bare = [
        Thinking(text=part.text)
        if isinstance(part, Thinking) and (part.signature or "").startswith("gatewayz:")
        else part
        for part in parts
    ]
    return bare, finish


@given(answers())
def test_pieces_told_in_chunks_and_read_again_say_the_same(pieces: list[Piece]) -> None:
    reader = ChunkReader("seed")
    stream = deltas("/v1/chat/completions", pieces)
    again = [piece for delta in stream for piece in reader.chunk(delta)]
    assert meaning(collected(again)) == meaning(collected(pieces))


@given(answers())
def test_pieces_told_in_events_and_read_again_say_the_same(pieces: list[Piece]) -> None:
    reader = EventReader()
    stream = deltas("/v1/messages", pieces)
    again = [piece for delta in stream for piece in reader.event(delta)]
    assert without_marks(collected(again)) == meaning(collected(pieces))


@given(answers())
def test_the_events_of_an_answer_make_its_whole_message(pieces: list[Piece]) -> None:
    reading = StreamedMessage()
    reading.feed(sse(list(deltas("/v1/messages", pieces))))
    collector = Collector()
    for piece in pieces:
        collector.add(piece)
    whole = SURFACES["/v1/messages"].whole(collector.answer())
    assert reading.reply().body["content"] == whole["content"]


def cut(content: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % len(content) for place in places), len(content)]
    return [content[start:end] for start, end in pairwise(edges)]


def read(reader: PieceReader, parts: Iterable[bytes]) -> Choice:
    pieces = [piece for part in parts for piece in reader.feed(part)]
    return collected([*pieces, *reader.end()])


places = st.lists(st.integers(0, 10_000), max_size=12)


@given(places)
def test_a_stream_of_chunks_reads_the_same_however_it_is_cut(cuts: list[int]) -> None:
    whole = read(ChatPieceReader("s", streamed=True), [CHUNKS])
    assert read(ChatPieceReader("s", streamed=True), cut(CHUNKS, cuts)) == whole
    assert isinstance(whole.parts[-1], ToolCall)


@given(places)
def test_a_stream_of_events_reads_the_same_however_it_is_cut(cuts: list[int]) -> None:
    whole = read(MessagePieceReader(streamed=True), [EVENTS])
    assert read(MessagePieceReader(streamed=True), cut(EVENTS, cuts)) == whole
    assert isinstance(whole.parts[-1], ToolCall)


@given(places)
def test_a_message_is_put_together_the_same_however_it_is_cut(cuts: list[int]) -> None:
    reading = StreamedMessage()
    for part in cut(EVENTS, cuts):
        reading.feed(part)
    content = reading.reply().body["content"]
    assert content == [THINKING, REDACTED, TEXT, tool_use("t", "f", {"x": "é世"})]


@given(st.integers(0, len(EVENTS) - 1))
@settings(max_examples=200)
def test_a_message_that_breaks_off_anywhere_is_whole_or_a_failure(place: int) -> None:
    reading = StreamedMessage()
    reading.feed(EVENTS[:place])
    try:
        told = reading.reply().finish_reason
    except ProviderFailure as failure:
        told = failure.kind
    assert told in {"stop", "truncated"}
