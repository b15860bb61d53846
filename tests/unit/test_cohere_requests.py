"""Canonical requests as bodies of Cohere's chat."""

from typing import Any

import pytest

from adapters.providers.cohere.replies import usage_of
from adapters.providers.cohere.requests import write_request
from adapters.providers.target import Target
from domain.dialects.canonical import (
    File,
    Image,
    OutputFormat,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Written,
)
from domain.inference.events import Usage

ASKED = Turn("user", (Text("Go."),))
TOOLS = (Tool(name="weather", strict=True), Tool(name="clock", strict=True))


def written(*turns: Turn, **asked: Any) -> Written:
    return write_request(Request(turns=turns or (ASKED,), **asked), Target("command-a"))


def messages(*turns: Turn, **asked: Any) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = written(*turns, **asked).body["messages"]
    return told


def test_only_the_first_message_is_an_instruction() -> None:
    assert messages(
        ASKED,
        Turn("assistant", (Text("Yes."),)),
        Turn("system", (Text("Be brief."),)),
        Turn("user", (Text("On."),), name="Ann"),
        system=(Text("One."), Text("Two.")),
    ) == [
        {"role": "system", "content": "One.\n\nTwo."},
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "Be brief."},
        {"role": "user", "content": "Ann: On."},
    ]


def test_images_and_texts_are_blocks() -> None:
    parts = (
        Text("See:"),
        Image(media_type="image/png", data="AA==", detail="low"),
        Image(url="https://example.com/a.png"),
        File(text="x,y", name="a.csv"),
        File(media_type="text/plain", data="eHl6"),
    )
    assert messages(Turn("user", parts))[0]["content"] == [
        {"type": "text", "text": "See:"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "text", "text": "a.csv\nx,y"},
        {"type": "text", "text": "xyz"},
    ]


def test_results_come_first_and_their_images_after_them() -> None:
    calls = tuple(ToolCall(id=f"t{i}", name="look", arguments="") for i in range(3))
    results = (
        ToolResult(call_id="t0", parts=(Text("[1]"),)),
        ToolResult(call_id="t1", parts=(Text("no"),), is_error=True),
        ToolResult(call_id="t2", parts=(Image(url="https://example.com/a.png"),)),
    )
    told = messages(ASKED, Turn("assistant", calls), Turn("user", (Text("So?"), *results)))
    data = [message["content"][0]["document"]["data"] for message in told[2:5]]
    assert data == [{"result": "[1]"}, {"error": "no"}, {"result": "[image attached]"}]
    assert [block["type"] for block in told[5]["content"]] == ["text", "image_url"]


def test_thinking_is_the_plan_of_its_calls_and_else_gone() -> None:
    thought = Thinking(text="Let me see.")
    call = ToolCall(id="t1", name="look", arguments="")
    told = messages(ASKED, Turn("assistant", (thought, Text("Yes."))), ASKED)
    assert told[1] == {"role": "assistant", "content": "Yes."}
    assert messages(ASKED, Turn("assistant", (thought, call)))[1]["tool_plan"] == "Let me see."


@pytest.mark.parametrize(
    ("choice", "names", "told"),
    [
        (None, ["weather", "clock"], None),
        (ToolChoice("auto"), ["weather", "clock"], None),
        (ToolChoice("none"), ["weather", "clock"], "NONE"),
        (ToolChoice("required"), ["weather", "clock"], "REQUIRED"),
        (ToolChoice("required", ("clock",)), ["clock"], "REQUIRED"),
    ],
)
def test_the_choice_of_tools_has_its_form(
    choice: ToolChoice | None, names: list[str], told: str | None
) -> None:
    body = written(tools=TOOLS, tool_choice=choice).body
    assert [tool["function"]["name"] for tool in body["tools"]] == names
    assert body.get("tool_choice") == told
    assert body["strict_tools"] is True


def test_tools_are_strict_together_or_not_at_all() -> None:
    mixed = written(tools=(TOOLS[0], Tool(name="free")), parallel_tools=False)
    assert "strict_tools" not in mixed.body
    assert mixed.dropped == ("parallel_tools", "strict")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, None),
        ({"effort": "none"}, {"type": "disabled"}),
        ({"thinking_budget": 0}, {"type": "disabled"}),
        ({"effort": "medium"}, {"type": "enabled", "token_budget": 4096}),
        ({"effort": "low", "thinking_budget": 77}, {"type": "enabled", "token_budget": 77}),
    ],
)
def test_thinking_has_a_budget(asked: dict[str, Any], told: object) -> None:
    assert written(**asked).body.get("thinking") == told


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (OutputFormat(kind="text"), None),
        (OutputFormat(kind="json_object"), {"type": "json_object"}),
        (OutputFormat(kind="json_schema", schema={"type": "object", "required": []}),
         {"type": "json_object", "json_schema": {"type": "object", "required": []}}),
    ],
)  # fmt: skip
def test_the_format_has_its_form(output: OutputFormat, told: object) -> None:
    assert written(output=output).body.get("response_format") == told


def test_values_beyond_coheres_are_brought_within_and_named() -> None:
    told = written(
        temperature=2, top_p=0, seed=-1, frequency_penalty=1.5, presence_penalty=0.5, top_k=3
    )
    sent = {name: told.body.get(name) for name in ("temperature", "p", "k", "seed")}
    assert sent == {"temperature": 1, "p": 0.01, "k": 3, "seed": None}
    assert (told.body["frequency_penalty"], told.body["presence_penalty"]) == (1, 0.5)
    assert set(told.dropped) == {"temperature", "top_p", "seed", "frequency_penalty"}


def test_what_cohere_alone_knows_may_be_asked_by_its_names() -> None:
    told = written(extras={"safety_mode": "OFF", "documents": ["a"], "store": True})
    assert (told.body["safety_mode"], told.body["documents"]) == ("OFF", ["a"])
    assert told.dropped == ("store",)


def test_cache_marks_have_no_place() -> None:
    assert written(Turn("user", (Text("Long.", cache="5m"),))).dropped == ("cache_control",)


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (None, None),
        ({}, None),
        ({"billed_units": {"output_tokens": 3}}, None),
        ({"billed_units": {"input_tokens": 5.0, "output_tokens": 3},
          "tokens": {"input_tokens": 90}}, Usage(input_tokens=5, output_tokens=3)),
        ({"tokens": {"input_tokens": 90, "output_tokens": 4}, "cached_tokens": 200},
         Usage(input_tokens=90, output_tokens=4, cached_input_tokens=90)),
        ({"billed_units": {"input_tokens": 1.5}}, None),
    ],
)  # fmt: skip
def test_what_is_billed_counts_before_what_was_read(reported: object, usage: object) -> None:
    assert usage_of(reported) == usage
