"""Answers told as chat chunks and as Anthropic's events."""

from collections.abc import Sequence
from typing import Any

import pytest

from domain.dialects.canonical import (
    Answer,
    Choice,
    Redacted,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from domain.dialects.messages.words import usage_object
from domain.dialects.pieces import (
    Finished,
    Piece,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolArguments,
    ToolStarted,
)
from domain.dialects.surface import Delta, Head
from domain.dialects.surfaces import SURFACES
from domain.inference.events import Usage
from domain.rating.estimate import Growing

CHAT, MESSAGES = SURFACES["/v1/chat/completions"], SURFACES["/v1/messages"]
HEAD = Head("id_1", "acme/alpha", 1_700_000_000)
USAGE = Usage(input_tokens=1110, output_tokens=50, cached_input_tokens=1000, cache_write_tokens=100)


def events(*pieces: Piece) -> list[Delta]:
    renderer = MESSAGES.renderer()
    return [delta for piece in pieces for delta in renderer.deltas(piece)]


def chunks(*pieces: Piece) -> list[dict[str, Any]]:
    renderer = CHAT.renderer()
    return [delta["choices"][0] for piece in pieces for delta in renderer.deltas(piece)]


def blocks(stream: Sequence[Delta]) -> list[tuple[str, str]]:
    """What each block holds; fails when one opens before the last is closed."""
    told: list[tuple[str, str]] = []
    is_open = False
    for event in stream:
        match event["type"]:
            case "content_block_start":
                assert not is_open
                assert event["index"] == len(told)
                is_open = True
                told.append((event["content_block"]["type"], ""))
            case "content_block_delta":
                assert is_open
                assert event["index"] == len(told) - 1
                delta = event["delta"]
                kind, text = told[-1]
                added = delta.get("text") or delta.get("thinking") or delta.get("partial_json")
                told[-1] = kind, text + (added or "")
            case "content_block_stop":
                assert is_open
                is_open = False
    assert not is_open
    return told


def started(index: int, name: str = "f") -> ToolStarted:
    return ToolStarted(index=index, id=f"call_{index}", name=name)


# Events.


def test_a_stream_of_events_has_its_head_its_blocks_and_its_end() -> None:
    stream = events(ThinkingDelta("hm"), TextDelta("a"), TextDelta("b"), Finished("stop"))
    assert [event["type"] for event in stream] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert blocks(stream) == [("thinking", "hm"), ("text", "ab")]


def test_an_empty_answer_has_an_empty_text() -> None:
    assert blocks(events(Finished("stop"))) == [("text", "")]
    whole = MESSAGES.whole(Answer(choices=(Choice(parts=(), finish="stop"),)))
    assert whole["content"] == [{"type": "text", "text": ""}]


def test_tool_calls_whose_pieces_come_mixed_stand_one_after_the_other() -> None:
    stream = events(
        started(0),
        started(1, "g"),
        ToolArguments(1, '{"y":'),
        ToolArguments(0, '{"x":'),
        ToolArguments(1, "2}"),
        ToolArguments(0, "1}"),
        Finished("tool_calls"),
    )
    assert blocks(stream) == [("tool_use", '{"x":1}'), ("tool_use", '{"y":2}')]


def test_a_tool_call_that_is_complete_makes_way_for_the_next_at_once() -> None:
    renderer = MESSAGES.renderer()
    for piece in (started(0), ToolArguments(0, '{"x":1}')):
        renderer.deltas(piece)
    told = [event["type"] for event in renderer.deltas(started(1, "g"))]
    assert told == ["content_block_stop", "content_block_start"]


def test_text_that_comes_between_tool_calls_is_not_lost() -> None:
    stream = events(
        started(0), TextDelta("a"), ToolArguments(0, "{}"), TextDelta("b"), Finished("tool_calls")
    )
    assert blocks(stream) == [("tool_use", "{}"), ("text", "ab")]


def test_thinking_is_signed_before_it_is_closed() -> None:
    signed = ThinkingSigned(vendor="anthropic", signature="S")
    stream = events(ThinkingDelta("hm"), signed, TextDelta("a"), Finished("stop"))
    assert {"type": "signature_delta", "signature": "S"} in [e.get("delta") for e in stream]


def test_what_anthropic_did_not_sign_bears_our_mark() -> None:
    stream = events(
        ThinkingDelta("a"),
        ThinkingSigned(vendor="google", signature="S"),
        ThinkingDelta("b"),
        TextDelta("c"),
        Finished("stop"),
    )
    signatures = [event["delta"]["signature"] for event in stream
                  if event.get("delta", {}).get("type") == "signature_delta"]  # fmt: skip
    assert signatures == ["gatewayz:google:S", "gatewayz:other:"]


def test_a_refusal_is_text_and_the_reason_of_the_end() -> None:
    stream = events(RefusalDelta("No."), Finished("stop"))
    assert blocks(stream) == [("text", "No.")]
    assert stream[-2]["delta"]["stop_reason"] == "refusal"


@pytest.mark.parametrize(
    ("finished", "reason"),
    [
        (Finished("stop"), "end_turn"),
        (Finished("stop", "END"), "stop_sequence"),
        (Finished("length"), "max_tokens"),
        (Finished("tool_calls"), "tool_use"),
        (Finished("content_filter"), "refusal"),
    ],
)
def test_the_end_is_told_in_anthropics_words(finished: Finished, reason: str) -> None:
    told = events(TextDelta("a"), finished)[-2]["delta"]
    assert told == {"stop_reason": reason, "stop_sequence": finished.stop_sequence}


def test_the_end_of_a_message_is_held_back_until_it_is_durable() -> None:
    outgoing = MESSAGES.outgoing({"messages": [{"role": "user", "content": "Hello."}]}, HEAD)
    shown = [
        one for delta in events(TextDelta("a"), Finished("length")) for one in outgoing.shown(delta)
    ]
    assert [event["type"] for event in shown][-1] == "content_block_stop"
    assert shown[0]["message"]["id"] == "id_1"
    assert shown[0]["message"]["usage"]["input_tokens"] > 0
    delta, stop = outgoing.closing(USAGE)
    assert delta["delta"]["stop_reason"] == "max_tokens"
    assert delta["usage"] == usage_object(USAGE)
    assert stop == {"type": "message_stop"}


def test_anthropics_usage_tells_the_cache_apart() -> None:
    assert usage_object(USAGE) == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 1000,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 50,
    }


@pytest.mark.parametrize(
    ("delta", "is_content"),
    [
        ({"type": "message_start", "message": {}}, False),
        ({"type": "ping"}, False),
        ({"type": "content_block_start", "index": 0,
          "content_block": {"type": "text", "text": ""}}, False),
        ({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use"}}, True),
        ({"type": "content_block_delta", "index": 0,
          "delta": {"type": "text_delta", "text": ""}}, False),
        ({"type": "content_block_delta", "index": 0,
          "delta": {"type": "text_delta", "text": "a"}}, True),
    ],
)  # fmt: skip
def test_an_event_with_some_of_the_answer_is_known(delta: Delta, is_content: bool) -> None:
    assert MESSAGES.is_content(delta) is is_content


def test_a_finished_message_is_told_again_as_the_same_stream() -> None:
    answer = Answer(
        choices=(
            Choice(
                parts=(
                    Thinking(text="hm", signature="S", vendor="anthropic"),
                    Redacted(data="D", vendor="anthropic"),
                    Text("a"),
                    ToolCall(id="t", name="f", arguments='{"x":1}'),
                ),
                finish="tool_calls",
            ),
        )
    )
    body = MESSAGES.finished(MESSAGES.whole(answer), HEAD, USAGE)
    stream = MESSAGES.replayed(body)
    assert blocks(stream) == [
        ("thinking", "hm"),
        ("redacted_thinking", ""),
        ("text", "a"),
        ("tool_use", '{"x":1}'),
    ]
    assert stream[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    streamed = Growing()
    for event in stream:
        streamed.add(MESSAGES.added(event))
    assert streamed.told().texts == ("".join(MESSAGES.put_out(body).texts),)


# Chunks.


def test_the_first_chunk_names_the_role_and_the_last_the_reason() -> None:
    first, second, last = chunks(TextDelta("a"), TextDelta("b"), Finished("stop"))
    assert first["delta"] == {"role": "assistant", "content": "a"}
    assert second["delta"] == {"content": "b"}
    assert (last["delta"], last["finish_reason"]) == ({}, "stop")


def test_a_tool_call_without_arguments_gets_an_empty_object() -> None:
    told = chunks(started(0), Finished("tool_calls"))
    assert told[-2]["delta"]["tool_calls"] == [{"index": 0, "function": {"arguments": "{}"}}]


def test_signed_thinking_is_told_in_full_with_its_signature() -> None:
    told = chunks(
        ThinkingDelta("a"),
        ThinkingDelta("b"),
        ThinkingSigned(vendor="anthropic", signature="S"),
        ThinkingSigned(vendor="anthropic", redacted="D"),
    )
    details = [one["delta"]["reasoning_details"][0] for one in told[2:]]
    assert details[0]["text"] == "ab"
    assert details[0]["signature"] == "S"
    assert (details[1]["index"], details[1]["data"]) == (1, "D")


def test_googles_signature_of_a_call_goes_along() -> None:
    call = ToolStarted(index=0, id="c", name="f", signature="SIG", vendor="google")
    (told,) = chunks(call)
    extra = told["delta"]["tool_calls"][0]["extra_content"]
    assert extra == {"google": {"thought_signature": "SIG"}}


def test_a_refused_message_in_words_is_a_refusal_to_chat() -> None:
    choice = Choice(parts=(Refusal("No."),), finish="content_filter")
    message = CHAT.whole(Answer(choices=(choice,)))["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "No.")
