"""Anthropic's messages: requests read into the canonical form."""

from typing import Any

import pytest

from domain.dialects.canonical import (
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
    Untranslatable,
)
from domain.dialects.messages.reading import read_request
from domain.errors import InvalidRequest

HI: dict[str, Any] = {"role": "user", "content": "Hi."}


def read(*messages: dict[str, Any], **fields: Any) -> Request:
    return read_request({"model": "m", "max_tokens": 9, "messages": messages or (HI,), **fields})


@pytest.mark.parametrize(
    ("block", "canonical"),
    [
        (
            {"type": "text", "text": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            Text("t", "1h"),
        ),
        (
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"},
                "cache_control": {"type": "ephemeral"},
            },
            Image(media_type="image/png", data="iVBOR", cache="5m"),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://a.example/i.png"}},
            Image(url="https://a.example/i.png"),
        ),
        (
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVB"},
            },
            File(media_type="application/pdf", data="JVB", name="a.pdf"),
        ),
        (
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "x"},
            },
            File(media_type="text/plain", text="x"),
        ),
        (
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}},
            ToolCall(id="t1", name="f", arguments='{"x":1}'),
        ),
        (
            {"type": "tool_result", "tool_use_id": "t1", "content": "no", "is_error": True},
            ToolResult(call_id="t1", parts=(Text("no"),), is_error=True),
        ),
        (
            {"type": "thinking", "thinking": "hm", "signature": "S"},
            Thinking(text="hm", signature="S", vendor="anthropic"),
        ),
        (
            {"type": "thinking", "thinking": "hm", "signature": "gatewayz:google:S"},
            Thinking(text="hm", signature="S", vendor="google"),
        ),
        (
            {"type": "thinking", "thinking": "hm", "signature": "gatewayz:other:"},
            Thinking(text="hm"),
        ),
        ({"type": "redacted_thinking", "data": "D"}, Redacted(data="D", vendor="anthropic")),
    ],
)
def test_a_block_has_its_canonical_form(block: dict[str, Any], canonical: Part) -> None:
    assert read({"role": "user", "content": [block]}).turns[0].parts == (canonical,)


def test_the_system_is_text_or_blocks() -> None:
    assert read(system="s").system == (Text("s"),)
    marked = {"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}
    assert read(system=[marked]).system == (Text("s", "5m"),)


@pytest.mark.parametrize(
    ("choice", "canonical", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any"}, ToolChoice("required"), None),
        ({"type": "none"}, ToolChoice("none"), None),
        (
            {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
            ToolChoice("required", ("f",)),
            False,
        ),
    ],
)
def test_a_tool_choice_has_its_canonical_form(
    choice: dict[str, Any], canonical: ToolChoice, parallel: bool | None
) -> None:
    request = read(tool_choice=choice)
    assert (request.tool_choice, request.parallel_tools) == (canonical, parallel)


@pytest.mark.parametrize(
    ("fields", "effort", "budget", "shown"),
    [
        ({}, None, None, None),
        ({"thinking": {"type": "disabled"}}, "none", None, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, None, 2048, True),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, "high", None, False),
        (
            {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "low"},
            },
            "low",
            None,
            True,
        ),
        ({"output_config": {"effort": "max"}}, "max", None, None),
    ],
)
def test_thinking_is_an_effort_or_a_budget(
    fields: dict[str, Any], effort: str | None, budget: int | None, shown: bool | None
) -> None:
    request = read(**fields)
    told = (request.effort, request.thinking_budget, request.show_thinking)
    assert told == (effort, budget, shown)


def test_the_parameters_have_their_canonical_names() -> None:
    schema = {"type": "object"}
    request = read(
        stop_sequences=["x"],
        top_k=3,
        metadata={"user_id": "u"},
        output_config={"format": {"type": "json_schema", "schema": schema}},
        tools=[{"name": "f", "input_schema": schema, "cache_control": {"type": "ephemeral"}}],
        service_tier="auto",
    )
    assert (request.max_output_tokens, request.stop, request.top_k) == (9, ("x",), 3)
    assert request.output == OutputFormat(kind="json_schema", schema=schema)
    assert request.tools == (Tool(name="f", schema=schema, cache="5m"),)
    assert (request.user, request.extras) == ("u", {"service_tier": "auto"})


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"temperature": True}, "temperature"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_by_the_fields_name(
    fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_request({"max_tokens": 9, "messages": [HI], **fields})
    assert raised.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools"),
        ({"container": "c"}, "container"),
        ({"mcp_servers": [{}]}, "mcp_servers"),
        (
            {"messages": [{"role": "user", "content": [{"type": "container_upload"}]}]},
            "messages",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}],
                    }
                ]
            },
            "messages",
        ),
    ],
)
def test_what_only_anthropic_has_is_untranslatable(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as raised:
        read_request({"max_tokens": 9, "messages": [HI], **fields})
    assert raised.value.param == param
