"""Answers read from chat chunks and from Anthropic's events."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from domain.dialects.canonical import (
    Choice,
    Text,
    Thinking,
)
from domain.dialects.chat.replies import ChunkReader
from domain.dialects.collecting import Collector
from domain.dialects.messages.replies import EventReader
from domain.dialects.pieces import (
    Finished,
    Piece,
    TextDelta,
    ThinkingDelta,
    ToolArguments,
    ToolStarted,
)
from domain.ports.provider import ProviderFailure

# Chunks.


def read(stream: Iterable[dict[str, Any]], *, done: bool = True) -> list[Piece]:
    reader = ChunkReader("job_1")
    pieces = [piece for chunk in stream for piece in reader.chunk(chunk)]
    return [*pieces, *reader.done()] if done else pieces


def collected(pieces: Iterable[Piece]) -> Choice:
    collector = Collector()
    for piece in pieces:
        collector.add(piece)
    return collector.answer().choices[0]


def choice(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
    ],
)
def test_reasoning_is_read_under_each_of_its_names(delta: dict[str, Any]) -> None:
    assert read([choice(**delta)], done=False) == [ThinkingDelta("hm")]


@pytest.mark.parametrize(
    "fragments",
    [
        ["<think>hm</think>a"],
        ["<th", "ink>\nh", "m</", "think>\n\n", "a"],
        ["\n<think>", "hm", "</think>", "", "\n", "a"],
    ],
)
def test_reasoning_that_leads_the_text_in_tags_is_told_from_it(fragments: list[str]) -> None:
    told = collected(read([choice(content=fragment) for fragment in fragments]))
    assert told.parts == (Thinking(text="hm"), Text("a"))


@pytest.mark.parametrize("text", ["a <think>b</think>", "<b>", "<thi", "\n", "<think", "a < b"])
def test_text_that_only_looks_like_a_tag_stays_text(text: str) -> None:
    told = collected(read([choice(content=one) for one in text]))
    assert told.parts == (Text(text),)


def test_reasoning_that_was_cut_short_is_no_text() -> None:
    told = collected(read([choice(content="<think>hm</th"), choice("length")]))
    assert told.parts == (Thinking(text="hm</th"),)


def test_a_first_chunk_without_choices_and_usage_after_the_end_do_no_harm() -> None:
    stream = [
        {"id": "", "choices": [], "prompt_filter_results": []},
        choice(role="assistant", content=""),
        choice(content="a"),
        choice("stop"),
        choice("stop"),
        {"choices": [], "usage": {}},
    ]
    assert read(stream) == [TextDelta("a"), Finished("stop")]


def test_a_stream_that_was_done_without_a_reason_has_stopped() -> None:
    assert read([choice(content="a")]) == [TextDelta("a"), Finished("stop")]


def test_a_stop_after_tool_calls_is_their_end() -> None:
    call = {"index": 0, "id": "x", "function": {"name": "f", "arguments": "{}"}}
    assert read([choice(tool_calls=[call]), choice("stop")])[-1] == Finished("tool_calls")


def test_a_tool_call_begins_when_its_name_is_known() -> None:
    stream = [
        choice(tool_calls=[{"index": 0, "function": {"arguments": "{"}}]),
        choice(tool_calls=[{"index": 0, "id": "x", "function": {"name": "f"}}]),
        choice(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "}"}}]),
    ]
    assert read(stream, done=False) == [
        ToolStarted(index=0, id="x", name="f"),
        ToolArguments(0, "{"),
        ToolArguments(0, "}"),
    ]


def test_a_call_without_an_id_gets_one_of_its_own() -> None:
    calls = [{"index": i, "function": {"name": "f", "arguments": "{}"}} for i in (0, 1)]
    ids = {piece.id for piece in read([choice(tool_calls=calls)]) if isinstance(piece, ToolStarted)}
    assert len(ids) == 2


@pytest.mark.parametrize("reason", ["error", "network_error", "insufficient_system_resource"])
def test_an_end_that_is_an_error_is_a_failure(reason: str) -> None:
    with pytest.raises(ProviderFailure):
        read([choice(content="a"), choice(reason)])


def test_a_whole_completion_reads_as_its_stream() -> None:
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    message = {"role": "assistant", "content": "a", "reasoning": "hm", "tool_calls": [call]}
    body = {"choices": [{"message": message, "finish_reason": "tool_calls"}]}
    assert list(ChunkReader("s").whole(body)) == [
        ThinkingDelta("hm"),
        TextDelta("a"),
        ToolStarted(index=0, id="x", name="f"),
        ToolArguments(0, '{"x":1}'),
        Finished("tool_calls"),
    ]


# Events.


def test_the_tool_that_gave_an_answer_is_not_seen() -> None:
    block = {"type": "tool_use", "id": "t", "name": "gatewayz_answer", "input": {"x": 1}}
    message = {"content": [block], "stop_reason": "tool_use"}
    text, finished = EventReader().whole(message)
    assert isinstance(text, TextDelta)
    assert json.loads(text.text) == {"x": 1}
    assert finished == Finished("stop")


def test_what_anthropics_own_tools_did_is_passed_over() -> None:
    content = [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "text", "text": "a"},
    ]
    told = list(EventReader().whole({"content": content, "stop_reason": "end_turn"}))
    assert told == [TextDelta("a"), Finished("stop")]
