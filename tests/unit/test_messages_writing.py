"""Anthropic's messages: requests written for a model."""

import base64
from typing import Any

import pytest

from domain.dialects.canonical import (
    Audio,
    File,
    Image,
    OutputFormat,
    Part,
    Redacted,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Untranslatable,
    Written,
)
from domain.dialects.chat.reading import read_request as read_chat
from domain.dialects.messages.models import ModelRules, rules_of
from domain.dialects.messages.reading import read_request
from domain.dialects.messages.schema import output_schema
from domain.dialects.messages.signatures import tool_id
from domain.dialects.messages.writing import write_request

OLD, OF_4_5, OF_4_6 = map(
    rules_of, ("claude-3-haiku-20240307", "claude-sonnet-4-5", "claude-opus-4-6")
)
OF_4_7, OF_5, NEWEST = map(rules_of, ("claude-opus-4-7", "claude-sonnet-5", "claude-opus-5-5"))


def asked(*parts: Part, **fields: Any) -> Request:
    return Request(turns=(Turn("user", parts or (Text("Hi."),)),), **fields)


def written(request: Request, rules: ModelRules = OF_4_5, limit: int | None = None) -> Written:
    return write_request(request, rules, limit)


def body(request: Request, rules: ModelRules = OF_4_5) -> dict[str, Any]:
    return written(request, rules).body


# The messages.


def test_parallel_tools_come_over_from_chat() -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"x":1}'}},
    ]
    chat = [
        {"role": "user", "content": "w?"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "user", "content": "go"},
    ]
    assert body(read_chat({"messages": chat}))["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "w?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "a", "name": "f", "input": {}},
                {"type": "tool_use", "id": "b", "name": "g", "input": {"x": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "1"},
                {"type": "tool_result", "tool_use_id": "b", "content": "2"},
                {"type": "text", "text": "go"},
            ],
        },
    ]


def test_the_user_begins_and_no_turn_is_blank() -> None:
    turns = (
        Turn("assistant", (Text("  "),)),
        Turn("user", (Text(""),)),
        Turn("user", (Text("a"),)),
    )
    dot = [{"type": "text", "text": "."}]
    assert body(Request(turns=turns))["messages"] == [
        {"role": "user", "content": dot},
        {"role": "assistant", "content": dot},
        {"role": "user", "content": [{"type": "text", "text": "a"}]},
    ]


def test_arguments_that_are_no_json_are_kept_as_text() -> None:
    turns = (Turn("assistant", (ToolCall(id="1", name="f", arguments='{"x":'),)),)
    message = body(Request(turns=turns))["messages"][1]
    assert message["content"][0]["input"] == {"_raw": '{"x":'}


def test_an_id_that_anthropic_refuses_becomes_one_that_it_takes() -> None:
    turns = (
        Turn("assistant", (ToolCall(id="call:1.2", name="f", arguments=""),)),
        Turn("user", (ToolResult(call_id="call:1.2", parts=()),)),
    )
    _, said, result = body(Request(turns=turns))["messages"]
    assert said["content"][0]["id"] == result["content"][0]["tool_use_id"] == tool_id("call:1.2")
    assert tool_id("toolu_1") == "toolu_1"


def test_instructions_within_the_talk_keep_their_place() -> None:
    turns = (Turn("user", (Text("a"),)), Turn("system", (Text("b"),)), Turn("user", (Text("c"),)))
    roles = [message["role"] for message in body(Request(turns=turns), OF_5)["messages"]]
    assert roles == ["user", "system", "user"]
    (message,) = body(Request(turns=turns), OF_4_5)["messages"]
    assert [block["text"] for block in message["content"]] == ["a", "b", "c"]


def test_a_begun_answer_is_trimmed_or_refused() -> None:
    turns = (Turn("user", (Text("a"),)), Turn("assistant", (Text("The answer is "),)))
    assert body(Request(turns=turns))["messages"][-1]["content"][0]["text"] == "The answer is"
    with pytest.raises(Untranslatable) as raised:
        body(Request(turns=turns), OF_4_6)
    assert raised.value.param == "messages"


def test_only_what_anthropic_signed_goes_back_to_it() -> None:
    thoughts = (
        Thinking(text="a", signature="S", vendor="anthropic"),
        Thinking(text="b", signature="S", vendor="google"),
        Thinking(text="c"),
        Redacted(data="D", vendor="anthropic"),
        Redacted(data="E", vendor="openai"),
        Text("d"),
    )
    turns = (Turn("user", (Text("a"),)), Turn("assistant", thoughts), Turn("user", (Text("e"),)))
    assert body(Request(turns=turns))["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "a", "signature": "S"},
        {"type": "redacted_thinking", "data": "D"},
        {"type": "text", "text": "d"},
    ]


def test_a_text_file_goes_as_text() -> None:
    data = base64.b64encode("Grüße".encode()).decode()
    file = File(media_type="text/markdown", data=data, name="a.md")
    (block,) = body(asked(file))["messages"][0]["content"]
    source = {"type": "text", "media_type": "text/plain", "data": "Grüße"}
    assert block == {"type": "document", "source": source, "title": "a.md"}


@pytest.mark.parametrize(
    "part",
    [
        Audio("UklG", "wav"),
        File(media_type="application/zip", data="UEs"),
        Image(url="gs://bucket/a.png"),
    ],
)
def test_media_that_anthropic_does_not_take_are_refused(part: Part) -> None:
    with pytest.raises(Untranslatable):
        body(asked(part))


# What models take.


@pytest.mark.parametrize(
    ("rules", "taken", "dropped"),
    [
        (OLD, {"temperature": 1, "top_p": 0.9, "top_k": 5}, ("temperature",)),
        (OF_4_5, {"temperature": 1, "top_k": 5}, ("top_p", "temperature")),
        (OF_4_7, {}, ("temperature", "top_p", "top_k")),
    ],
)
def test_sampling_is_clamped_or_left_out_and_named(
    rules: ModelRules, taken: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    request = asked(temperature=1.5, top_p=0.9, top_k=5)
    result = written(request, rules)
    sampled = {name: result.body[name] for name in ("temperature", "top_p", "top_k")
               if name in result.body}  # fmt: skip
    assert (sampled, result.dropped) == (taken, dropped)


@pytest.mark.parametrize(
    ("asked_for", "limit", "sent", "dropped"),
    [
        (None, None, 64_000, ()),
        (None, 8000, 8000, ()),
        (100, 8000, 100, ()),
        (9000, 8000, 8000, ("max_output_tokens",)),
    ],
)
def test_there_is_always_a_limit(
    asked_for: int | None, limit: int | None, sent: int, dropped: tuple[str, ...]
) -> None:
    result = written(asked(max_output_tokens=asked_for), limit=limit)
    assert (result.body["max_tokens"], result.dropped) == (sent, dropped)


@pytest.mark.parametrize(
    ("rules", "fields", "thinking", "effort"),
    [
        (OF_4_5, {"effort": "medium"}, {"type": "enabled", "budget_tokens": 4096}, None),
        (OF_4_5, {"effort": "none"}, None, None),
        (OF_4_5, {"thinking_budget": 2000}, {"type": "enabled", "budget_tokens": 2000}, None),
        (OF_4_5, {"thinking_budget": 10}, {"type": "enabled", "budget_tokens": 1024}, None),
        (
            OF_4_5,
            {"thinking_budget": 9000, "max_output_tokens": 4000},
            {"type": "enabled", "budget_tokens": 3999},
            None,
        ),
        (
            OF_4_5,
            {"effort": "high", "max_output_tokens": 4000},
            {"type": "enabled", "budget_tokens": 2000},
            None,
        ),
        (OF_4_6, {"effort": "xhigh"}, {"type": "adaptive", "display": "summarized"}, "high"),
        (OF_4_6, {"thinking_budget": 2000}, {"type": "enabled", "budget_tokens": 2000}, None),
        (OF_4_7, {"effort": "max"}, {"type": "adaptive", "display": "summarized"}, "max"),
        (OF_4_7, {"thinking_budget": 2000}, {"type": "adaptive", "display": "summarized"}, "low"),
        (
            OF_4_7,
            {"effort": "minimal", "show_thinking": False},
            {"type": "adaptive", "display": "omitted"},
            "low",
        ),
        (OF_4_7, {"effort": "none"}, {"type": "disabled"}, None),
        (NEWEST, {"effort": "none"}, None, "low"),
        (OLD, {"effort": "high"}, None, None),
    ],
)
def test_an_effort_takes_the_form_that_the_model_knows(
    rules: ModelRules, fields: dict[str, Any], thinking: Any, effort: str | None
) -> None:
    result = body(asked(**fields), rules)
    told = (result.get("thinking"), result.get("output_config", {}).get("effort"))
    assert told == (thinking, effort)


@pytest.mark.parametrize(
    "fields",
    [
        {"max_output_tokens": 1024},
        {"tools": (Tool(name="f"),), "tool_choice": ToolChoice("required")},
    ],
)
def test_thinking_that_cannot_be_had_is_left_out_and_named(fields: dict[str, Any]) -> None:
    result = written(asked(effort="high", **fields))
    assert "thinking" not in result.body
    assert result.dropped == ("effort",)


def test_a_round_of_tools_without_its_thinking_goes_on_without() -> None:
    call = ToolCall(id="a", name="f", arguments="")
    thinking = Thinking(text="hm", signature="S", vendor="anthropic")
    result = Turn("user", (ToolResult(call_id="a", parts=()),))
    lost = Request(turns=(Turn("assistant", (call,)), result), effort="low")
    kept = Request(turns=(Turn("assistant", (thinking, call)), result), effort="low")
    assert "thinking" not in body(lost)
    assert "thinking" in body(kept)


def test_thinking_takes_no_sampling() -> None:
    result = written(asked(effort="low", temperature=0.2, top_k=4))
    assert result.dropped == ("temperature", "top_k")


def test_a_tool_that_must_be_called_is_refused_where_the_model_cannot_be_made_to() -> None:
    request = asked(tools=(Tool(name="f"),), tool_choice=ToolChoice("required", ("f",)))
    assert body(request)["tool_choice"] == {"type": "tool", "name": "f"}
    with pytest.raises(Untranslatable) as raised:
        body(request, NEWEST)
    assert raised.value.param == "tool_choice"


def test_of_several_allowed_tools_only_these_are_sent() -> None:
    tools = tuple(Tool(name=name) for name in "fgh")
    result = body(asked(tools=tools, tool_choice=ToolChoice("auto", ("f", "h"))))
    assert [tool["name"] for tool in result["tools"]] == ["f", "h"]
    assert result["tool_choice"] == {"type": "auto"}


def test_a_schema_binds_a_model_that_knows_them() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "integer", "minimum": 1}}}
    request = asked(output=OutputFormat(kind="json_schema", schema=schema))
    assert body(request)["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {"x": {"type": "integer", "description": "(minimum 1)"}},
            "additionalProperties": False,
        },
    }


def test_a_schema_beside_tools_is_refused_where_it_would_take_a_tool() -> None:
    output = OutputFormat(kind="json_schema", schema={"type": "object"})
    assert body(asked(output=output), OLD)["tool_choice"]["type"] == "tool"
    with pytest.raises(Untranslatable):
        body(asked(output=output, tools=(Tool(name="f"),)), OLD)


def test_every_object_of_a_schema_is_closed_wherever_it_stands() -> None:
    inner = {"type": "object", "properties": {}}
    schema = {"type": "array", "maxItems": 3, "items": {"anyOf": [inner, {"type": "null"}]}}
    closed = {**inner, "additionalProperties": False}
    assert output_schema(schema) == {
        "type": "array",
        "items": {"anyOf": [closed, {"type": "null"}]},
        "description": "(maxItems 3)",
    }


def test_json_alone_is_asked_for_in_words() -> None:
    result = body(asked(system=(Text("s"),), output=OutputFormat(kind="json_object")))
    assert [block["text"] for block in result["system"]] == [
        "s",
        "Answer with one JSON object only.",
    ]


def test_a_user_is_told_by_a_hash() -> None:
    user_id = body(asked(user="alice@example.org"))["metadata"]["user_id"]
    assert len(user_id) == 64
    assert "alice" not in user_id


def test_blank_stops_are_left_out_and_named() -> None:
    result = written(asked(stop=("\n", "END")))
    assert (result.body["stop_sequences"], result.dropped) == (["END"], ("stop",))


def test_a_tier_is_put_in_anthropics_words() -> None:
    assert body(asked(extras={"service_tier": "default"}))["service_tier"] == "standard_only"


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("anthropic/claude-opus-4.7", "claude-opus-4-7"),
        ("databricks-claude-opus-4-6", "claude-opus-4-6"),
        ("claude-quartz-9", "claude-opus-5-5"),
        ("claude-2.1", "claude-3-haiku-20240307"),
    ],
)
def test_a_model_is_known_by_any_of_its_names(name: str, like: str) -> None:
    assert rules_of(name) == rules_of(like)


def test_a_request_written_and_read_again_is_the_same() -> None:
    request = Request(
        system=(Text("A", "1h"),),
        turns=(
            Turn("user", (Text("w?"), Image(media_type="image/png", data="iVBOR"))),
            Turn(
                "assistant",
                (
                    Thinking(text="hm", signature="S", vendor="anthropic"),
                    Text("so"),
                    ToolCall(id="a", name="f", arguments='{"x":1}'),
                ),
            ),
            Turn("user", (ToolResult(call_id="a", parts=(Text("1"),)), Text("go"))),
        ),
        tools=(Tool(name="f", description="d", schema={"type": "object"}, cache="5m"),),
        tool_choice=ToolChoice("auto"),
        parallel_tools=False,
        max_output_tokens=9,
        stop=("x",),
        temperature=0.5,
    )
    assert read_request(body(request)) == request
