"""Chat completions from and to the canonical form."""

import json
from typing import Any

import pytest

from domain.dialects.canonical import (
    Audio,
    File,
    Image,
    OutputFormat,
    Part,
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
from domain.dialects.chat.reading import read_request
from domain.dialects.chat.turns import MessageForm
from domain.dialects.chat.writing import write_request
from domain.errors import InvalidRequest

RESULT = Turn("user", (ToolResult(call_id="1", parts=(Text("r"),)),))
PNG = "data:image/png;base64,iVBOR"


def read(*messages: dict[str, Any], **fields: Any) -> Request:
    return read_request({"model": "m", "messages": list(messages), **fields})


def user(content: Any = "Hi.") -> dict[str, Any]:
    return {"role": "user", "content": content}


def asked(*parts: Part, **fields: Any) -> Request:
    return Request(turns=(Turn("user", parts or (Text("Hi."),)),), **fields)


def written(request: Request, form: MessageForm | None = None) -> dict[str, Any]:
    return write_request(request, form or MessageForm()).body


# Reading.


def test_instructions_that_lead_are_the_system_and_later_ones_keep_their_place() -> None:
    request = read(
        {"role": "system", "content": "A"},
        {"role": "developer", "content": [{"type": "text", "text": "B"}]},
        user(),
        {"role": "system", "content": "C"},
    )
    assert request.system == (Text("A"), Text("B"))
    assert request.turns[1] == Turn("system", (Text("C"),))


def test_parallel_tool_calls_and_their_results_make_one_turn_each() -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"x":1}'}},
    ]
    request = read(
        user("w?"),
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        user("go"),
    )
    assert request.turns[1:] == (
        Turn(
            "assistant",
            (
                ToolCall(id="a", name="f", arguments=""),
                ToolCall(id="b", name="g", arguments='{"x":1}'),
            ),
        ),
        Turn(
            "user",
            (
                ToolResult(call_id="a", parts=(Text("1"),)),
                ToolResult(call_id="b", parts=(Text("2"),)),
            ),
        ),
        Turn("user", (Text("go"),)),
    )


def test_the_old_form_of_function_calls_gets_ids() -> None:
    request = read(
        user(),
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"},
    )
    assert request.turns[1].parts == (ToolCall(id="call_f_1", name="f", arguments="{}"),)
    assert request.turns[2].parts == (ToolResult(call_id="call_f_1", parts=(Text("1"),), name="f"),)


@pytest.mark.parametrize(
    ("part", "canonical"),
    [
        ({"type": "text", "text": "t"}, Text("t")),
        (
            {"type": "text", "text": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            Text("t", "1h"),
        ),
        (
            {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
            Image(media_type="image/png", data="iVBOR", detail="low"),
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://a.example/i.png"}},
            Image(url="https://a.example/i.png"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
            Audio("UklG", "wav"),
        ),
        (
            {
                "type": "file",
                "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVB"},
            },
            File(media_type="application/pdf", data="JVB", name="a.pdf"),
        ),
    ],
)
def test_a_content_part_has_its_canonical_form(part: dict[str, Any], canonical: Part) -> None:
    assert read(user([part])).turns[0].parts == (canonical,)


def test_reasoning_and_refusals_of_earlier_answers_are_kept() -> None:
    details = [
        {
            "type": "reasoning.text",
            "text": "hm",
            "signature": "S",
            "format": "anthropic-claude-v1",
        },
        {"type": "reasoning.encrypted", "data": "D", "format": "openai-responses-v1"},
    ]
    signed = {"role": "assistant", "content": "a", "reasoning_details": details}
    plain = {"role": "assistant", "content": "b", "reasoning_content": "so", "refusal": "no"}
    request = read(user(), signed, user(), plain)
    assert request.turns[1].parts == (
        Thinking(text="hm", signature="S", vendor="anthropic"),
        Redacted(data="D", vendor="openai"),
        Text("a"),
    )
    assert request.turns[3].parts == (Thinking(text="so"), Text("b"), Refusal("no"))


def test_the_parameters_have_their_canonical_names() -> None:
    request = read(
        user(),
        max_tokens=5,
        max_completion_tokens=9,
        stop="x",
        n=2,
        reasoning_effort="low",
        parallel_tool_calls=False,
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        user="u",
        logit_bias={"1": 2},
        store=None,
    )
    assert (request.max_output_tokens, request.stop, request.choices) == (9, ("x",), 2)
    assert (request.effort, request.parallel_tools, request.user) == ("low", False, "u")
    assert request.output == OutputFormat(kind="json_schema", schema={}, name="n")
    assert request.tools == (Tool(name="f", schema={"type": "object"}),)
    assert request.extras == {"logit_bias": {"1": 2}}


@pytest.mark.parametrize(
    ("choice", "canonical"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("required", ("f",))),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [
                        {"type": "function", "function": {"name": "f"}},
                        {"type": "function", "function": {"name": "g"}},
                    ],
                },
            },
            ToolChoice("auto", ("f", "g")),
        ),
    ],
)
def test_a_tool_choice_has_its_canonical_form(choice: Any, canonical: ToolChoice) -> None:
    assert read(user(), tool_choice=choice).tool_choice == canonical


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"temperature": "hot"}, "temperature"),
        ({"n": 0}, "n"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"stop": [1]}, "stop"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_by_the_fields_name(
    fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_request({"messages": [user()], **fields})
    assert raised.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [user([{"type": "file", "file": {"file_id": "file-1"}}])]}, "messages"),
        ({"messages": [user([{"type": "video_url", "video_url": {"url": "u"}}])]}, "messages"),
        ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
    ],
)
def test_what_only_this_wire_has_is_untranslatable(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as raised:
        read_request({"messages": [user()], **fields})
    assert raised.value.param == param


# Writing.


def test_instructions_become_one_message() -> None:
    body = written(asked(system=(Text("A"), Text("B", "5m"))))
    assert body["messages"][0] == {"role": "system", "content": "A\n\nB"}


def test_cache_marks_go_to_hosts_that_take_them() -> None:
    form = MessageForm(cache_marks=True)
    body = written(asked(Text("t", "1h"), system=(Text("A", "5m"),)), form)
    mark = {"type": "ephemeral"}
    assert body["messages"] == [
        {"role": "system", "content": [{"type": "text", "text": "A", "cache_control": mark}]},
        {
            "role": "user",
            "content": [{"type": "text", "text": "t", "cache_control": {**mark, "ttl": "1h"}}],
        },
    ]


def test_results_come_first_and_their_images_after_the_last_of_them() -> None:
    picture = Image(media_type="image/png", data="iVBOR")
    body = written(
        asked(
            Text("go"),
            ToolResult(call_id="a", parts=(Text("1"), picture)),
            ToolResult(call_id="b", parts=(Text("no"),), is_error=True),
        )
    )
    assert body["messages"] == [
        {"role": "tool", "tool_call_id": "a", "content": "1\n[attached below]"},
        {"role": "tool", "tool_call_id": "b", "content": "ERROR: no"},
        user(
            [
                {"type": "image_url", "image_url": {"url": PNG}},
                {"type": "text", "text": "go"},
            ]
        ),
    ]


def test_earlier_reasoning_goes_back_only_to_hosts_that_want_it() -> None:
    turn = Turn(
        "assistant",
        (Thinking(text="hm"), Text("a"), ToolCall(id="1", name="f", arguments="")),
    )
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "a", "tool_calls": [call]}
    request = Request(turns=(turn, RESULT))
    assert written(request)["messages"][0] == message
    wanted = written(request, MessageForm(reasoning_field="reasoning_content"))
    assert wanted["messages"][0] == {**message, "reasoning_content": "hm"}


def test_a_tool_call_without_reasoning_gets_a_blank_one_where_it_is_wanted() -> None:
    turn = Turn("assistant", (ToolCall(id="1", name="f", arguments="{}"),))
    form = MessageForm(reasoning_field="reasoning_content")
    assert written(Request(turns=(turn, RESULT)), form)["messages"][0]["reasoning_content"] == " "


def test_an_answer_that_is_begun_is_refused() -> None:
    turns = (Turn("user", (Text("a"),)), Turn("assistant", (Text("The"),)))
    with pytest.raises(Untranslatable) as raised:
        write_request(Request(turns=turns))
    assert raised.value.param == "messages"


def test_of_several_allowed_tools_only_these_are_sent() -> None:
    tools = tuple(Tool(name=name) for name in "fgh")
    body = written(asked(tools=tools, tool_choice=ToolChoice("required", ("f", "h"))))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["f", "h"]
    assert body["tool_choice"] == "required"


def test_a_named_tool_is_chosen_by_its_name() -> None:
    body = written(asked(tools=(Tool(name="f"),), tool_choice=ToolChoice("required", ("f",))))
    assert body["tool_choice"] == {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("budget", "effort"), [(0, "none"), (1024, "low"), (8192, "medium"), (9000, "high")]
)
def test_a_thinking_budget_becomes_the_closest_effort(budget: int, effort: str) -> None:
    assert written(asked(thinking_budget=budget))["reasoning_effort"] == effort


def test_what_has_no_place_is_named() -> None:
    request = asked(top_k=3, extras={"service_tier": "auto", "context_management": {}})
    assert write_request(request).dropped == ("context_management", "top_k")


def test_what_the_answer_depends_on_is_refused() -> None:
    with pytest.raises(Untranslatable) as raised:
        write_request(asked(extras={"previous_response_id": "resp_1"}))
    assert raised.value.param == "previous_response_id"


def test_a_file_by_its_address_is_refused() -> None:
    with pytest.raises(Untranslatable):
        write_request(asked(File(url="https://a.example/a.pdf")))


def test_a_request_written_and_read_again_is_the_same() -> None:
    request = Request(
        system=(Text("A"),),
        turns=(
            Turn("user", (Text("w?"), Image(media_type="image/png", data="iVBOR"))),
            Turn(
                "assistant",
                (
                    Text("so"),
                    ToolCall(id="a", name="f", arguments='{"x":1}'),
                    ToolCall(id="b", name="g", arguments="{}"),
                ),
            ),
            Turn(
                "user",
                (
                    ToolResult(call_id="a", parts=(Text("1"),)),
                    ToolResult(call_id="b", parts=(Text("2"),)),
                ),
            ),
            Turn("user", (Text("go"),)),
        ),
        tools=(Tool(name="f", description="d", schema={"type": "object"}, strict=True),),
        tool_choice=ToolChoice("required", ("f",)),
        parallel_tools=False,
        output=OutputFormat(kind="json_schema", schema={"type": "object"}, name="n", strict=True),
        max_output_tokens=9,
        temperature=0.5,
        stop=("x",),
        seed=1,
        effort="low",
        user="u",
    )
    body = json.loads(json.dumps(written(request)))
    assert read_request(body) == request
