"""A canonical request as Google's models of each generation take it."""

from typing import Any

import pytest

from adapters.providers.gemini.contents import PLACEHOLDER
from adapters.providers.gemini.request import write_request
from adapters.providers.gemini.tools import callers_names, native_name
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
)

ASK = Turn("user", (Text("w?"),))
SCHEMA = {"type": "object", "properties": {"q": {"type": ["string", "null"]}}}
ANSWER = OutputFormat(kind="json_schema", schema=SCHEMA)
TOOL = Tool(name="f", description="d", schema=SCHEMA)


def written(model: str = "gemini-3-flash", *turns: Turn, **fields: Any) -> dict[str, Any]:
    return write_request(Request(turns=turns or (ASK,), **fields), Target(model)).body


def dropped(model: str = "gemini-3-flash", **fields: Any) -> set[str]:
    return set(write_request(Request(turns=(ASK,), **fields), Target(model)).dropped)


def parts(model: str, *said: Part, vertex: bool = False) -> list[dict[str, Any]]:
    request = Request(turns=(ASK, Turn("assistant", said)))
    told: list[dict[str, Any]] = write_request(request, Target(model), vertex=vertex).body[
        "contents"
    ][1]["parts"]
    return told


def call(call_id: str = "c1", name: str = "f", arguments: str = '{"q":"x"}', **more: Any) -> Part:
    return ToolCall(id=call_id, name=name, arguments=arguments, **more)


# What was said.


def test_a_tool_turn_carries_the_id_and_the_signature_of_its_call() -> None:
    told = parts("gemini-3-flash", call(signature="SIG", vendor="google"))
    function = {"id": "c1", "name": "f", "args": {"q": "x"}}
    assert told == [{"functionCall": function, "thoughtSignature": "SIG"}]


def test_on_vertex_calls_and_results_have_no_ids() -> None:
    turns = (ASK, Turn("assistant", (call(),)), Turn("user", (result("c1"),)))
    body = write_request(Request(turns=turns), Target("gemini-2.5-pro"), vertex=True).body
    assert body["contents"][1]["parts"] == [{"functionCall": {"name": "f", "args": {"q": "x"}}}]
    assert body["contents"][2]["parts"] == [
        {"functionResponse": {"name": "f", "response": {"result": "1"}}}
    ]


def result(call_id: str, text: str = "1", **more: Any) -> ToolResult:
    return ToolResult(call_id=call_id, parts=(Text(text),), **more)


def test_a_lost_signature_is_replaced_on_the_first_call_of_a_turn_alone() -> None:
    first, second = parts("gemini-3-pro-preview", call(), call("c2", "g"))
    assert first["thoughtSignature"] == PLACEHOLDER
    assert "thoughtSignature" not in second


def test_a_signature_of_another_vendor_is_never_sent() -> None:
    foreign = call(signature="SIG", vendor="anthropic")
    (told,) = parts(
        "gemini-3-flash", Thinking(text="t", signature="S", vendor="anthropic"), foreign
    )
    assert told["thoughtSignature"] == PLACEHOLDER


def test_models_before_the_third_generation_need_no_signature() -> None:
    (told,) = parts("gemini-2.5-flash", call())
    assert "thoughtSignature" not in told


def test_a_signature_that_came_by_itself_goes_to_the_call_after_it() -> None:
    alone = Thinking(text="", signature="SIG", vendor="google")
    (told,) = parts("gemini-3-flash", alone, call())
    assert told["thoughtSignature"] == "SIG"
    assert parts("gemini-3-flash", Text("a"), alone) == [
        {"text": "a"},
        {"text": "", "thoughtSignature": "SIG"},
    ]


def test_signed_thoughts_go_back_and_unsigned_or_foreign_ones_do_not() -> None:
    said = (
        Thinking(text="mine", signature="SIG", vendor="google"),
        Thinking(text="unsigned"),
        Redacted(data="x", vendor="anthropic"),
        Text("a"),
    )
    assert parts("gemini-3-flash", *said) == [
        {"text": "mine", "thought": True, "thoughtSignature": "SIG"},
        {"text": "a"},
    ]


@pytest.mark.parametrize(
    ("arguments", "sent"), [("", {}), ('{"a":1}', {"a": 1}), ('{"a', {"_raw": '{"a'})]
)
def test_arguments_become_an_object(arguments: str, sent: dict[str, Any]) -> None:
    (told,) = parts("gemini-2.5-flash", call(arguments=arguments))
    assert told["functionCall"]["args"] == sent


def test_parallel_results_make_one_turn_in_the_order_of_their_calls() -> None:
    turns = (
        ASK,
        Turn("assistant", (call("a", "f", ""), call("b", "g"))),
        Turn("user", (result("b", '{"x":1}'), result("a", "no", is_error=True))),
        Turn("user", (Text("go"),)),
    )
    body = written("gemini-2.5-flash", *turns)
    assert body["contents"][2] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "a", "name": "f", "response": {"error": "no"}}},
            {"functionResponse": {"id": "b", "name": "g", "response": {"x": 1}}},
            {"text": "go"},
        ],
    }


def test_an_image_in_a_result_comes_after_the_responses() -> None:
    image = Image(media_type="image/png", data="AA==")
    turns = (ASK, Turn("assistant", (call(),)), Turn("user", (
        ToolResult(call_id="c1", parts=(image, Text("see"))),)))  # fmt: skip
    told = written("gemini-2.5-flash", *turns)["contents"][2]["parts"]
    assert told[0]["functionResponse"]["response"] == {"result": "see"}
    assert told[1] == {"inlineData": {"mimeType": "image/png", "data": "AA=="}}


def test_a_result_without_its_call_is_refused() -> None:
    with pytest.raises(Untranslatable):
        written("gemini-2.5-flash", Turn("user", (result("nobody"),)))


def test_instructions_lead_apart_and_later_ones_stand_where_they_were() -> None:
    later = Turn("system", (Text("be brief"),))
    body = written("gemini-3-flash", ASK, later, system=(Text("one"), Text(""), Text("two")))
    assert body["systemInstruction"] == {"parts": [{"text": "one"}, {"text": "two"}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "w?"}, {"text": "be brief"}]}]


def test_a_model_without_a_place_for_instructions_gets_them_in_the_talk() -> None:
    body = written("gemma-3-27b-it", ASK, system=(Text("one"),))
    assert "systemInstruction" not in body
    assert body["contents"] == [{"role": "user", "parts": [{"text": "one"}, {"text": "w?"}]}]


def test_a_talk_begins_with_the_user_and_empty_texts_are_no_parts() -> None:
    body = written("gemini-3-flash", Turn("assistant", (Text("hi"), Text(""))))
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "."}]},
        {"role": "model", "parts": [{"text": "hi"}]},
    ]


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (Image(media_type="image/png", data="AA=="),
         {"inlineData": {"mimeType": "image/png", "data": "AA=="}}),
        (Image(url="https://a.example/b.webp?c=1"),
         {"fileData": {"mimeType": "image/webp", "fileUri": "https://a.example/b.webp?c=1"}}),
        (File(media_type="application/pdf", data="AA==", name="a.pdf"),
         {"inlineData": {"mimeType": "application/pdf", "data": "AA=="}}),
        (File(text="words", name="a.txt"), {"text": "a.txt\n\nwords"}),
        (Audio("AA==", "wav"), {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}}),
    ],
)  # fmt: skip
def test_media_has_its_form(part: Part, sent: dict[str, Any]) -> None:
    body = written("gemini-3-flash", Turn("user", (part,)))
    assert body["contents"][0]["parts"] == [sent]


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("gemini-2.0-flash", "https://a.example/b.png"),
        ("gemini-3-flash", "http://a.example/b.png"),
        ("gemini-3-flash", "gs://bucket/b.png"),
    ],
)
def test_an_address_that_the_model_does_not_fetch_is_refused(model: str, url: str) -> None:
    with pytest.raises(Untranslatable):
        written(model, Turn("user", (Image(url=url),)))


def test_the_highest_detail_that_is_asked_for_counts() -> None:
    images = tuple(Image(url="https://a.example/b", detail=d) for d in ("low", "high", "auto"))
    config = written("gemini-3-flash", Turn("user", images))["generationConfig"]
    assert config == {"mediaResolution": "MEDIA_RESOLUTION_HIGH"}


# How it is to be answered.


def test_every_knob_of_sampling_has_its_place() -> None:
    config = written(
        max_output_tokens=5, temperature=0.5, top_p=0.9, top_k=3, stop=("x",), choices=2,
        seed=7, presence_penalty=0.1, frequency_penalty=0.2,
    )["generationConfig"]  # fmt: skip
    assert config == {
        "maxOutputTokens": 5, "temperature": 0.5, "topP": 0.9, "topK": 3, "stopSequences": ["x"],
        "candidateCount": 2, "seed": 7, "presencePenalty": 0.1, "frequencyPenalty": 0.2,
    }  # fmt: skip


def test_what_the_caller_left_open_is_left_open() -> None:
    assert set(written(presence_penalty=0.0)) == {"contents"}


def test_a_limit_above_the_models_is_lowered_and_named() -> None:
    request = Request(turns=(ASK,), max_output_tokens=10)
    lowered = write_request(request, Target("gemini-3-flash", 8))
    assert lowered.body["generationConfig"] == {"maxOutputTokens": 8}
    assert lowered.dropped == ("max_output_tokens",)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"choices": 9}, "choices"),
        ({"stop": tuple("abcdef")}, "stop"),
        ({"extras": {"web_search_options": {"a": 1}}}, "web_search_options"),
        ({"extras": {"modalities": ["audio"]}}, "modalities"),
    ],
)
def test_what_would_change_the_answer_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        written(**fields)
    assert refused.value.param == param


def test_what_only_tunes_is_left_out_and_named() -> None:
    named = dropped(
        seed=2**40, logprobs=True, top_logprobs=2, verbosity="low", user="u",
        tools=(TOOL,), parallel_tools=False, system=(Text("s", "5m"),),
        extras={"logit_bias": {"1": 1}, "store": False, "modalities": ["text"]},
    )  # fmt: skip
    assert named == {
        "seed", "logprobs", "top_logprobs", "verbosity", "user", "parallel_tools",
        "cache_control", "logit_bias",
    }  # fmt: skip


def test_a_schema_of_the_answer_stands_as_the_model_takes_it() -> None:
    kind = {"responseMimeType": "application/json"}
    new = written("gemini-2.5-pro", output=ANSWER)["generationConfig"]
    old = written("gemini-2.0-flash-001", output=ANSWER)["generationConfig"]
    plain = written(output=OutputFormat(kind="json_object"))["generationConfig"]
    assert new == {**kind, "responseJsonSchema": SCHEMA}
    assert old["responseSchema"]["properties"] == {"q": {"type": "STRING", "nullable": True}}
    assert plain == kind


def test_only_the_third_generation_forms_its_answer_next_to_tools() -> None:
    assert "tools" in written("gemini-3-flash", output=ANSWER, tools=(TOOL,))
    with pytest.raises(Untranslatable):
        written("gemini-2.5-pro", output=ANSWER, tools=(TOOL,))


def test_tools_are_declared_with_their_schemas() -> None:
    bare = Tool(name="g", schema={"type": "object", "additionalProperties": False})
    declared = written(tools=(TOOL, bare))["tools"]
    assert declared == [{"functionDeclarations": [
        {"name": "f", "description": "d", "parametersJsonSchema": SCHEMA}, {"name": "g"},
    ]}]  # fmt: skip


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("required", ("f",)), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_a_choice_of_tools_has_its_mode(choice: ToolChoice, config: dict[str, Any]) -> None:
    body = written(tools=(TOOL, Tool(name="g")), tool_choice=choice)
    assert body["toolConfig"] == {"functionCallingConfig": config}


def test_a_free_choice_among_some_leaves_the_others_out() -> None:
    body = written(tools=(TOOL, Tool(name="g")), tool_choice=ToolChoice("auto", ("g",)))
    assert body["tools"] == [{"functionDeclarations": [{"name": "g"}]}]


def test_strict_tools_are_validated_where_all_of_them_are() -> None:
    strict = Tool(name="s", strict=True)
    body = written(tools=(strict,))
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}
    assert dropped(tools=(strict, TOOL)) == {"strict"}


@pytest.mark.parametrize("name", ["a", "a.b:c-d_1", "_x"])
def test_a_name_that_google_takes_stays(name: str) -> None:
    assert native_name(name) == name


@pytest.mark.parametrize("name", ["1a", "-a", "a b", "x" * 65, "größe"])
def test_another_name_becomes_one_like_it_and_is_known_again(name: str) -> None:
    native = native_name(name)
    assert native_name(native) == native
    assert len(native) <= 64
    for body in ({"tools": [{"name": name}]}, {"tools": [{"function": {"name": name}}]}):
        assert callers_names(body) == {native: name}


# How much it shall think.


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        ("gemini-3-flash-preview", "none", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.1-pro-preview", "none", {"thinkingLevel": "LOW"}),
        ("gemini-3.1-pro-preview", "medium", {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
        ("gemini-3-pro-preview", "medium", {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-flash-latest", "max", {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-flash", "minimal", {"thinkingBudget": 1, "includeThoughts": True}),
        ("gemini-2.5-flash-lite", "minimal", {"thinkingBudget": 512, "includeThoughts": True}),
        ("gemini-2.5-pro", "none", {"thinkingBudget": 128}),
        ("gemini-2.5-pro", "low", {"thinkingBudget": 1024, "includeThoughts": True}),
        ("gemini-2.5-pro", "high", {"thinkingBudget": 24576, "includeThoughts": True}),
        ("gemini-2.5-pro", "max", {"thinkingBudget": 32768, "includeThoughts": True}),
    ],
)
def test_an_effort_is_a_level_or_a_budget(
    model: str, effort: Effort, config: dict[str, Any]
) -> None:
    assert written(model, effort=effort)["generationConfig"] == {"thinkingConfig": config}


@pytest.mark.parametrize(
    ("model", "budget", "config"),
    [
        ("gemini-2.5-flash", 2000, {"thinkingBudget": 2000}),
        ("gemini-2.5-flash", 99_999, {"thinkingBudget": 24_576}),
        ("gemini-3-flash", 2000, {"thinkingLevel": "LOW"}),
        ("gemini-3-flash", 9000, {"thinkingLevel": "HIGH"}),
    ],
)
def test_a_budget_is_kept_or_becomes_a_level(
    model: str, budget: int, config: dict[str, Any]
) -> None:
    body = written(model, thinking_budget=budget, show_thinking=False)
    assert body["generationConfig"]["thinkingConfig"] == config


@pytest.mark.parametrize(
    ("model", "fields", "named"),
    [
        ("gemini-3-flash", {"effort": "none"}, {"effort"}),
        ("gemini-3-flash", {"effort": "high"}, set()),
        ("gemini-3-pro", {"effort": "medium"}, {"effort"}),
        ("gemini-2.5-flash", {"effort": "none"}, set()),
        ("gemini-2.5-pro", {"effort": "none"}, {"effort"}),
        ("gemini-2.5-flash", {"thinking_budget": 99_999}, {"thinking_budget"}),
        ("gemini-2.0-flash", {"effort": "high"}, {"effort"}),
        ("gemini-2.0-flash", {"effort": "none"}, set()),
    ],
)
def test_thinking_that_cannot_be_had_as_asked_is_named(
    model: str, fields: dict[str, Any], named: set[str]
) -> None:
    assert dropped(model, **fields) == named


def test_thoughts_are_shown_to_who_asks_for_them() -> None:
    config = written(show_thinking=True)["generationConfig"]
    assert config == {"thinkingConfig": {"includeThoughts": True}}
    assert "generationConfig" not in written("gemini-2.0-flash", show_thinking=True)
