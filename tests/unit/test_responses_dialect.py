"""Responses from and to the canonical form, in the types of OpenAI's own client."""

from collections.abc import Mapping
from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from domain.dialects.canonical import (
    Answer,
    Choice,
    Image,
    OutputFormat,
    Redacted,
    Refusal,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Untranslatable,
)
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
from domain.dialects.responses.answers import OutgoingResponse
from domain.dialects.responses.signatures import sendable
from domain.dialects.surface import Delta, Head
from domain.dialects.surfaces import SURFACES
from domain.errors import InvalidRequest
from domain.inference.events import Failure, Usage

SURFACE = SURFACES["/v1/responses"]
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
USAGE = Usage(input_tokens=11, output_tokens=7, cached_input_tokens=4, reasoning_tokens=2)
REQUEST = {"model": "m", "input": "Hi."}
CALL = {"type": "function_call", "call_id": "a", "name": "f", "arguments": '{"x":1}'}
RESULT = {"type": "function_call_output", "call_id": "a", "output": "4"}


def read(*items: dict[str, Any], **fields: Any) -> Request:
    return SURFACE.read({"model": "m", "input": list(items) or "Hi.", **fields})


def head(request: Mapping[str, Any] = REQUEST) -> Head:
    return Head("resp_abc", "acme/m", 1_700_000_000, request)


def streamed(*pieces: Piece, request: Mapping[str, Any] = REQUEST) -> list[Delta]:
    renderer, outgoing = SURFACE.renderer(), SURFACE.outgoing(request, head())
    opening = outgoing.opening()
    shown = [
        told for piece in pieces for one in renderer.deltas(piece) for told in outgoing.shown(one)
    ]
    return [*opening, *shown, *outgoing.closing(USAGE)]


def whole(*parts: Any, finish: Any = "stop", request: Mapping[str, Any] = REQUEST) -> Response:
    body = SURFACE.whole(Answer(choices=(Choice(parts=parts, finish=finish),)))
    assert SURFACE.is_whole(request, body)
    return Response.model_validate(SURFACE.finished(body, head(request), USAGE))


# Reading.


def test_a_plain_input_is_what_the_user_says_and_instructions_lead() -> None:
    request = read(instructions="Be brief.")
    assert request.system == (Text("Be brief."),)
    assert request.turns == (Turn("user", (Text("Hi."),)),)


def test_a_call_its_reasoning_and_what_was_said_make_one_turn() -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "E"}
    said = {"type": "message", "role": "assistant", "content": "Let me see."}
    request = read({"role": "user", "content": "w?"}, reasoning, said, CALL, RESULT)
    assert request.turns[1] == Turn(
        "assistant",
        (
            Thinking(text="", signature="E", vendor="openai"),
            Text("Let me see."),
            ToolCall(id="a", name="f", arguments='{"x":1}'),
        ),
    )
    assert request.turns[2] == Turn("user", (ToolResult(call_id="a", parts=(Text("4"),)),))


def test_results_of_parallel_calls_make_one_turn_and_the_next_word_another() -> None:
    other = {**RESULT, "call_id": "b"}
    request = read({**CALL, "call_id": "b"}, CALL, RESULT, other, {"role": "user", "content": "go"})
    assert [len(turn.parts) for turn in request.turns] == [2, 2, 1]


def test_instructions_within_the_talk_keep_their_place() -> None:
    user = {"role": "user", "content": "Hi."}
    request = read({"role": "developer", "content": "A"}, user, {"role": "system", "content": "B"})
    assert request.system == (Text("A"),)
    assert request.turns[1] == Turn("system", (Text("B"),))


def test_an_image_comes_inline_or_by_its_address() -> None:
    parts = [
        {"type": "input_image", "image_url": "data:image/png;base64,iVBOR", "detail": "low"},
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"},
    ]
    assert read({"role": "user", "content": parts}).turns[0].parts == (
        Image(media_type="image/png", data="iVBOR", detail="low"),
        Image(url="https://x/y.png", detail="auto"),
    )


def test_tools_and_their_choice_are_read() -> None:
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
    allowed = {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "f"}],
    }
    request = read(tools=[tool], tool_choice=allowed, parallel_tool_calls=False)
    assert request.tools == (Tool(name="f", schema={"type": "object"}, strict=True),)
    assert request.tool_choice == ToolChoice("auto", ("f",))
    assert request.parallel_tools is False


def test_the_form_of_the_answer_and_the_reasoning_are_read() -> None:
    schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    request = read(
        text={"format": schema, "verbosity": "low"},
        reasoning={"effort": "high", "summary": "auto"},
        max_output_tokens=9,
    )
    assert request.output == OutputFormat(
        kind="json_schema", schema={"type": "object"}, name="n", strict=True
    )
    assert (request.effort, request.show_thinking, request.verbosity) == ("high", True, "low")
    assert request.max_output_tokens == 9


def test_what_only_this_wire_knows_is_kept_to_be_reported() -> None:
    assert dict(read(prompt_cache_key="k", truncation="auto").extras) == {
        "prompt_cache_key": "k",
        "truncation": "auto",
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        ({"input": [{"type": "computer_call", "id": "c"}]}, "input[0].type"),
    ],
)
def test_what_only_openai_runs_or_keeps_is_refused_by_name(
    fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        SURFACE.read({"model": "m", "input": "Hi.", **fields})
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", param)


def test_a_tool_of_free_text_needs_a_host_of_this_wire() -> None:
    with pytest.raises(Untranslatable):
        read(tools=[{"type": "custom", "name": "sql"}])


# Telling.


def test_a_whole_answer_is_a_response_of_the_official_client() -> None:
    response = whole(
        Thinking(text="Hm."), Text("See "), Text("this."), ToolCall(id="a", name="f", arguments="")
    )
    assert response.output_text == "See this."
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call"]
    assert response.output[2].to_dict()["arguments"] == "{}"
    assert (response.id, response.model, response.status) == ("resp_abc", "acme/m", "completed")


def test_a_response_repeats_what_it_was_asked() -> None:
    tool = {"type": "function", "name": "f", "parameters": {}, "strict": False}
    asked = {**REQUEST, "tools": [tool], "temperature": 0.5, "metadata": {"k": "v"}, "store": False}
    response = whole(Text("x"), request=asked)
    assert (response.temperature, response.metadata) == (0.5, {"k": "v"})
    assert response.tools[0].to_dict() == tool
    assert response.to_dict()["store"] is False


def test_an_answer_at_its_limit_is_incomplete() -> None:
    response = whole(Text("x"), finish="length")
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"


def test_a_refusal_is_a_part_of_the_message() -> None:
    response = whole(Refusal("No."))
    assert response.output[0].to_dict()["content"] == [{"type": "refusal", "refusal": "No."}]


def test_usage_is_told_with_its_details() -> None:
    usage = whole(Text("x")).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (11, 7, 18)
    assert usage.input_tokens_details.cached_tokens == 4
    assert usage.output_tokens_details.reasoning_tokens == 2


PIECES: tuple[Piece, ...] = (
    ThinkingDelta("Hm."),
    ThinkingSigned(vendor="anthropic", signature="S"),
    TextDelta("Hel"),
    TextDelta("lo"),
    RefusalDelta("No."),
    ToolStarted(index=0, id="a", name="f"),
    ToolStarted(index=1, id="b", name="g"),
    ToolArguments(1, '{"x":'),
    ToolArguments(0, "{}"),
    ToolArguments(1, "1}"),
    Finished("tool_calls"),
)


def test_every_event_of_a_stream_is_one_that_the_official_client_knows() -> None:
    events = streamed(*PIECES)
    for event in events:
        EVENT.validate_python(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]


def test_the_events_of_a_stream_add_up_to_its_last_one() -> None:
    events = streamed(*PIECES)
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    last = events[-1]
    assert last["type"] == "response.completed"
    assert sorted(done, key=lambda item: item["id"]) == sorted(
        last["response"]["output"], key=lambda item: item["id"]
    )
    said = "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
    assert said == Response.model_validate(last["response"]).output_text == "Hello"


def test_nothing_of_the_end_is_shown_before_the_closing() -> None:
    renderer, outgoing = SURFACE.renderer(), SURFACE.outgoing(REQUEST, head())
    (end,) = renderer.deltas(Finished("stop"))
    assert outgoing.shown(end) == ()
    assert outgoing.closing(USAGE)[0]["type"] == "response.completed"


def test_a_stream_that_breaks_off_ends_with_a_failed_response() -> None:
    outgoing = OutgoingResponse(REQUEST, head())
    outgoing.opening()
    (event,) = outgoing.failing(Failure(code="x", message="it broke", status_code=502))
    EVENT.validate_python(event)
    assert (event["type"], event["sequence_number"]) == ("response.failed", 2)
    assert event["response"]["error"] == {"code": "server_error", "message": "it broke"}


def test_a_finished_response_can_be_streamed_again() -> None:
    body = streamed(*PIECES)[-1]["response"]
    outgoing = SURFACE.outgoing(REQUEST, head())
    shown = [told for one in SURFACE.replayed(body) for told in outgoing.shown(one)]
    events = [*outgoing.opening(), *shown, *outgoing.closing(USAGE)]
    for event in events:
        EVENT.validate_python(event)
    assert events[-1]["response"] == body


def test_what_a_provider_added_is_not_shown() -> None:
    (shown,) = SURFACE.outgoing(REQUEST, head()).shown(
        {
            "type": "response.output_text.delta",
            "output_index": 0,
            "item_id": "msg_upstream",
            "delta": "x",
            "obfuscation": "zzz",
            "sequence_number": 77,
        }
    )
    assert "obfuscation" not in shown
    assert (shown["item_id"], shown["sequence_number"]) == ("msg_upstream", 0)


# Going round.


def test_reasoning_of_another_vendor_comes_back_as_it_was() -> None:
    parts = (
        Thinking(text="Hm.", signature="S", vendor="anthropic"),
        Redacted(data="D", vendor="google"),
        Thinking(text="", signature="E", vendor="openai"),
        Text("Hi."),
        ToolCall(id="a", name="f", arguments="{}", signature="G", vendor="google"),
    )
    response = whole(*parts, finish="tool_calls")
    items = [item.to_dict() for item in response.output]
    assert read(*items).turns == (Turn("assistant", parts),)


def test_openai_gets_no_reasoning_but_its_own_and_no_ids_of_ours() -> None:
    own = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "E"}
    foreign = {**own, "encrypted_content": "gatewayz:signed:anthropic:S"}
    bare = {"type": "reasoning", "id": "rs_2", "summary": []}
    call = {**CALL, "id": "fc_1", "extra_content": {"google": {"thought_signature": "G"}}}
    without_id = {name: value for name, value in own.items() if name != "id"}
    assert sendable([own, foreign, bare, call]) == [without_id, CALL]
