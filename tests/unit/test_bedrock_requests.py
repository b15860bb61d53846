"""Canonical requests as bodies of Amazon's Converse."""

from typing import Any

import pytest

from adapters.providers.bedrock.models import bare_name, model_of
from adapters.providers.bedrock.replies import usage_of
from adapters.providers.bedrock.requests import write_request
from adapters.providers.target import Target
from domain.dialects.canonical import (
    Audio,
    Effort,
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
from domain.inference.events import Usage

SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
OPUS_46 = "global.anthropic.claude-opus-4-6-v1"
OPUS_55 = "anthropic.claude-opus-5-5"
NOVA = "us.amazon.nova-pro-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
LLAMA = "us.meta.llama4-maverick-17b-instruct-v1:0"
GPT_OSS = "openai.gpt-oss-120b-1:0"
ASKED = Turn("user", (Text("Go."),))
CALL = ToolCall(id="t1", name="weather", arguments='{"city": "Oslo"}')
RESULT = ToolResult(call_id="t1", parts=(Text("rain"),))
TOOLS = (Tool(name="weather", schema={"type": "object"}), Tool(name="clock", description="Time."))
SCHEMA = OutputFormat(kind="json_schema", schema={"type": "object"}, name="n")


def written(*turns: Turn, model: str = SONNET, most: int | None = None, **asked: Any) -> Written:
    return write_request(Request(turns=turns or (ASKED,), **asked), Target(model, most))


def messages(*turns: Turn, model: str = SONNET) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = written(*turns, model=model).body["messages"]
    return told


def block(part: Part, model: str = SONNET) -> dict[str, Any]:
    told: dict[str, Any] = messages(Turn("user", (Text("See:"), part)), model=model)[0]
    first: dict[str, Any] = told["content"][1]
    return first


# Messages.


def test_turns_of_one_side_become_one_message() -> None:
    told = messages(
        Turn("user", (Text("One."),)),
        Turn("system", (Text("Be brief."),)),
        Turn("user", (Text("Two."),), name="Ann"),
        Turn("assistant", (Text("Three."),)),
        Turn("user", (Text("Four."),)),
    )
    assert [message["role"] for message in told] == ["user", "assistant", "user"]
    texts = [{"text": "One."}, {"text": "Be brief."}, {"text": "Ann: Two."}]
    assert told[0]["content"] == texts


def test_a_talk_begins_with_the_user_and_says_something() -> None:
    told = messages(Turn("assistant", (Text("Hello."),)), Turn("user", (Text(" "),)))
    assert [message["content"] for message in told] == [
        [{"text": "."}],
        [{"text": "Hello."}],
        [{"text": "."}],
    ]


def test_results_of_parallel_calls_stand_together_before_what_follows() -> None:
    told = messages(
        ASKED,
        Turn("assistant", (CALL, ToolCall(id="t2", name="clock", arguments=""))),
        Turn("user", (RESULT,)),
        Turn("user", (Text("And?"), ToolResult(call_id="t2", parts=(), is_error=True))),
    )
    assert told[1]["content"] == [
        {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Oslo"}}},
        {"toolUse": {"toolUseId": "t2", "name": "clock", "input": {}}},
    ]
    assert told[2]["content"] == [
        {"toolResult": {"toolUseId": "t1", "content": [{"text": "rain"}]}},
        {"toolResult": {"toolUseId": "t2", "status": "error", "content": [{"text": "."}]}},
        {"text": "And?"},
    ]


def test_an_error_is_told_in_words_to_models_without_a_mark_for_it() -> None:
    failed = ToolResult(call_id="t1", parts=(Text("no"),), is_error=True)
    told = messages(ASKED, Turn("assistant", (CALL,)), Turn("user", (failed,)), model=LLAMA)
    result = told[2]["content"][0]["toolResult"]
    assert result["content"] == [{"text": "ERROR:"}, {"text": "no"}]
    assert "status" not in result


def test_an_id_outside_the_alphabet_is_the_same_at_the_call_and_its_result() -> None:
    odd = "call/ä|1"
    told = messages(
        ASKED,
        Turn("assistant", (ToolCall(id=odd, name="weather", arguments="{"),)),
        Turn("user", (ToolResult(call_id=odd, parts=(Text("rain"),)),)),
    )
    use = told[1]["content"][0]["toolUse"]
    assert use["toolUseId"] == told[2]["content"][0]["toolResult"]["toolUseId"] != odd
    assert use["input"] == {"_raw": "{"}


def test_a_name_outside_the_alphabet_is_refused() -> None:
    with pytest.raises(Untranslatable):
        written(tools=(Tool(name="a.b"),))


def test_thinking_goes_back_to_who_signed_it_alone() -> None:
    parts: tuple[Part, ...] = (
        Thinking(text="a", signature="s1", vendor="bedrock"),
        Thinking(text="b", signature="s2", vendor="anthropic"),
        Thinking(text="c", signature="s3", vendor="google"),
        Thinking(text="d"),
        Redacted(data="e", vendor="bedrock"),
        Redacted(data="f", vendor="openai"),
        Text("Yes."),
    )
    turns = (ASKED, Turn("assistant", parts), ASKED)
    own = {"reasoningContent": {"reasoningText": {"text": "a", "signature": "s1"}}}
    claudes = {"reasoningContent": {"reasoningText": {"text": "b", "signature": "s2"}}}
    hidden = {"reasoningContent": {"redactedContent": "e"}}
    assert messages(*turns)[1]["content"] == [own, claudes, hidden, {"text": "Yes."}]
    assert messages(*turns, model=NOVA)[1]["content"] == [own, hidden, {"text": "Yes."}]


def test_the_beginning_of_an_answer_is_for_models_that_go_on_with_it() -> None:
    turns = (ASKED, Turn("assistant", (Text("Well, "),)))
    assert messages(*turns)[1]["content"] == [{"text": "Well,"}]
    for model in (OPUS_46, LLAMA):
        with pytest.raises(Untranslatable):
            messages(*turns, model=model)


def test_media_goes_as_data_or_from_s3() -> None:
    assert block(Image(media_type="image/jpeg", data="AA==")) == {
        "image": {"format": "jpeg", "source": {"bytes": "AA=="}}
    }
    assert block(Image(url="s3://bucket/cat.png")) == {
        "image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/cat.png"}}}
    }
    assert block(File(text="x,y", name="a_b/c..d (1).csv")) == {
        "document": {
            "format": "txt",
            "name": "a b c d (1) csv 1",
            "source": {"bytes": "eCx5"},
        }
    }
    assert block(Audio("AA==", "wav")) == {"audio": {"format": "wav", "source": {"bytes": "AA=="}}}


def test_a_document_comes_with_a_text_and_a_name_of_its_own() -> None:
    pdf = File(media_type="application/pdf", data="AA==")
    content = messages(Turn("user", (pdf, pdf)))[0]["content"]
    names = [block["document"]["name"] for block in content[:2]]
    assert names == ["document 1", "document 2"]
    assert content[2] == {"text": "."}


@pytest.mark.parametrize(
    "part",
    [
        Image(url="https://example.com/a.png"),
        Image(media_type="image/tiff", data="AA=="),
        File(media_type="application/zip", data="AA=="),
        File(url="https://example.com/a.pdf"),
        Audio("AA==", "amr"),
    ],
)
def test_media_that_converse_does_not_take_is_refused(part: Part) -> None:
    with pytest.raises(Untranslatable):
        block(part)


def test_cache_marks_are_points_where_the_model_caches() -> None:
    system = (Text("Long.", cache="1h"),)
    turn = Turn("user", (Text("Longer.", cache="5m"), Text("Go.")))
    tools = (Tool(name="weather", cache="5m"),)
    told = written(turn, system=system, tools=tools)
    point = {"cachePoint": {"type": "default"}}
    assert told.body["system"][1] == {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert told.body["messages"][0]["content"] == [{"text": "Longer."}, point, {"text": "Go."}]
    assert told.body["toolConfig"]["tools"][1] == point
    assert told.dropped == ()
    assert written(turn, model=LLAMA).dropped == ("cache_control",)
    assert written(turn, tools=tools, model=NOVA).dropped == ("cache_control",)


# Tools.


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (None, None),
        (ToolChoice("auto"), None),
        (ToolChoice("required"), {"any": {}}),
        (ToolChoice("required", ("clock",)), {"tool": {"name": "clock"}}),
        (ToolChoice("required", ("clock", "weather")), {"any": {}}),
    ],
)
def test_the_choice_of_tools_has_its_form(choice: ToolChoice | None, told: object) -> None:
    config = written(tools=TOOLS, tool_choice=choice).body["toolConfig"]
    assert config.get("toolChoice") == told
    names = [tool["toolSpec"]["name"] for tool in config["tools"]]
    assert names == [tool.name for tool in TOOLS if not choice or tool.name in choice.names or (
        not choice.names)]  # fmt: skip


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    spec = written(tools=TOOLS).body["toolConfig"]["tools"][1]["toolSpec"]
    assert spec == {
        "name": "clock",
        "description": "Time.",
        "inputSchema": {"json": {"type": "object", "properties": {}}},
    }


def test_no_tools_are_declared_where_none_may_be_called() -> None:
    assert "toolConfig" not in written(tools=TOOLS, tool_choice=ToolChoice("none")).body


@pytest.mark.parametrize("tools", [(), TOOLS[:1]])
def test_a_talk_with_calls_keeps_its_tools_declared(tools: tuple[Tool, ...]) -> None:
    turns = (ASKED, Turn("assistant", (CALL,)), Turn("user", (RESULT,)))
    body = written(*turns, tools=tools, tool_choice=ToolChoice("none")).body
    names = [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]]
    assert names == ["weather"]
    assert "without calling" in body["system"][-1]["text"]


def test_a_call_that_cannot_be_forced_is_asked_for_in_words() -> None:
    told = written(model=OPUS_55, tools=TOOLS, tool_choice=ToolChoice("required"), effort="low")
    assert "toolChoice" not in told.body["toolConfig"]
    assert "at least one" in told.body["system"][-1]["text"]
    assert told.dropped == ("tool_choice",)


@pytest.mark.parametrize("model", [SONNET, OPUS_46])
def test_a_forced_call_weighs_more_than_thinking(model: str) -> None:
    told = written(model=model, tools=TOOLS, tool_choice=ToolChoice("required"), effort="high")
    assert told.body["toolConfig"]["toolChoice"] == {"any": {}}
    assert "additionalModelRequestFields" not in told.body
    assert told.dropped == ("effort",)


# Sampling, limits, formats.


def test_settings_go_where_converse_has_them() -> None:
    told = written(
        max_output_tokens=9000, most=8000, temperature=0.5, top_k=5, stop=("a", "\n"), model=NOVA
    )
    assert told.body["inferenceConfig"] == {
        "maxTokens": 8000,
        "temperature": 0.5,
        "stopSequences": ["a"],
    }
    assert told.body["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 5}}
    assert told.dropped == ("max_output_tokens", "stop")


def test_what_the_model_refuses_is_left_out_and_named() -> None:
    assert written(temperature=0.5, top_p=0.9).dropped == ("top_p",)
    told = written(temperature=0.5, top_p=0.9, top_k=3, model=OPUS_55)
    assert told.dropped == ("temperature", "top_p", "top_k")
    assert "inferenceConfig" not in told.body


def test_a_schema_is_held_natively_or_by_a_tool_or_refused() -> None:
    native = written(output=SCHEMA).body
    assert native["outputConfig"]["textFormat"]["structure"]["jsonSchema"] == {
        "schema": '{"type": "object", "additionalProperties": false}',
        "name": "n",
    }
    by_tool = written(output=SCHEMA, model=NOVA, effort="high").body
    assert by_tool["toolConfig"]["toolChoice"] == {"tool": {"name": "gatewayz_answer"}}
    for model, tools in ((LLAMA, ()), (NOVA, TOOLS)):
        with pytest.raises(Untranslatable):
            written(output=SCHEMA, model=model, tools=tools)


def test_one_object_is_asked_for_in_words() -> None:
    body = written(system=(Text("Be brief."),), output=OutputFormat(kind="json_object")).body
    assert [block["text"] for block in body["system"]] == [
        "Be brief.",
        "Answer with one JSON object only.",
    ]


# Thinking.


@pytest.mark.parametrize(
    ("asked", "thinking", "limit"),
    [
        ({"effort": "medium"}, {"type": "enabled", "budget_tokens": 4096}, 8192),
        ({"thinking_budget": 500}, {"type": "enabled", "budget_tokens": 1024}, 5120),
        ({"thinking_budget": 9000, "max_output_tokens": 4000},
         {"type": "enabled", "budget_tokens": 3000}, 4000),
        ({"effort": "high", "max_output_tokens": 1000}, None, 1000),
        ({"effort": "none"}, None, None),
        ({}, None, None),
    ],
)  # fmt: skip
def test_a_budget_leaves_room_for_the_answer(
    asked: dict[str, Any], thinking: dict[str, Any] | None, limit: int | None
) -> None:
    body = written(most=64_000, **asked).body
    assert body.get("additionalModelRequestFields", {}).get("thinking") == thinking
    assert body.get("inferenceConfig", {}).get("maxTokens") == limit


def test_a_thinking_model_takes_no_sampling_and_no_forced_tool() -> None:
    told = written(effort="low", temperature=0.5, top_k=3)
    assert "temperature" not in told.body["inferenceConfig"]
    assert told.dropped == ("temperature", "top_k")


@pytest.mark.parametrize(
    ("model", "effort", "told"),
    [
        (OPUS_46, "minimal", "low"),
        (OPUS_46, "xhigh", "high"),
        (OPUS_46, "max", "max"),
        (OPUS_55, "xhigh", "xhigh"),
        (OPUS_55, "none", "low"),
    ],
)
def test_an_effort_is_the_nearest_that_the_model_knows(
    model: str, effort: Effort, told: str
) -> None:
    body = written(model=model, effort=effort).body
    assert body["outputConfig"] == {"effort": told}
    thinking = body["additionalModelRequestFields"]["thinking"]
    assert thinking == {"type": "adaptive", "display": "summarized"}


def test_thinking_is_turned_off_where_that_can_be() -> None:
    body = written(model=OPUS_46, effort="none").body
    assert body["additionalModelRequestFields"] == {"thinking": {"type": "disabled"}}


def test_thinking_that_was_lost_in_a_tool_loop_is_not_asked_for_again() -> None:
    lost = (ASKED, Turn("assistant", (CALL,)), Turn("user", (RESULT,)))
    told = written(*lost, effort="high", tools=TOOLS)
    assert "additionalModelRequestFields" not in told.body
    assert told.dropped == ("effort",)
    signed = Thinking(text="a", signature="s", vendor="bedrock")
    kept = (ASKED, Turn("assistant", (signed, CALL)), Turn("user", (RESULT,)))
    assert written(*kept, effort="high", tools=TOOLS).dropped == ()


@pytest.mark.parametrize(
    ("model", "asked", "fields", "dropped"),
    [
        (NOVA_2, {"effort": "high"}, {"reasoningConfig": {
            "type": "enabled", "maxReasoningEffort": "high"}}, ()),
        (NOVA_2, {"effort": "high", "temperature": 0.5}, {"reasoningConfig": {
            "type": "enabled", "maxReasoningEffort": "medium"}}, ("effort",)),
        (GPT_OSS, {"effort": "minimal"}, {"reasoning_effort": "low"}, ()),
        (GPT_OSS, {"effort": "none"}, {"reasoning_effort": "low"}, ("effort",)),
        (LLAMA, {"effort": "low"}, None, ("effort",)),
        (LLAMA, {"thinking_budget": 5000}, None, ("thinking_budget",)),
        (LLAMA, {"effort": "none"}, None, ()),
    ],
)  # fmt: skip
def test_other_vendors_have_fields_of_their_own(
    model: str, asked: dict[str, Any], fields: object, dropped: tuple[str, ...]
) -> None:
    told = written(model=model, **asked)
    assert told.body.get("additionalModelRequestFields") == fields
    assert told.dropped == dropped


# Models and usage.


@pytest.mark.parametrize(
    ("native_id", "name"),
    [
        (SONNET, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("minimax.minimax-m2.1", "minimax.minimax-m2.1"),
        (f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{NOVA}",
         "amazon.nova-pro-v1:0"),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3",
         "a1b2c3"),
    ],
)  # fmt: skip
def test_a_model_is_known_under_every_name_that_names_it(native_id: str, name: str) -> None:
    assert bare_name(native_id) == name


def test_a_model_behind_a_nameless_profile_is_asked_for_nothing_special() -> None:
    model = model_of("arn:aws:bedrock:us-east-1:1:application-inference-profile/a1b2c3")
    assert (model.reasoning, model.schemas, model.caches) == ("none", "none", False)


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (None, None),
        ({"outputTokens": 5}, None),
        ({"inputTokens": -1}, None),
        ({"inputTokens": 3, "outputTokens": 5}, Usage(input_tokens=3, output_tokens=5)),
        ({"inputTokens": 3, "outputTokens": 5, "cacheReadInputTokens": 10,
          "cacheWriteInputTokens": 20},
         Usage(input_tokens=33, output_tokens=5, cached_input_tokens=10, cache_write_tokens=20)),
    ],
)  # fmt: skip
def test_input_includes_what_the_cache_gave_and_took(reported: object, usage: object) -> None:
    assert usage_of(reported) == usage
