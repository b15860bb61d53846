"""A messages request in the canonical form."""

from collections.abc import Iterator, Mapping
from typing import Any

from domain.dialects.canonical import (
    Effort,
    OutputFormat,
    Request,
    Text,
    Tool,
    ToolChoice,
    Turn,
    Untranslatable,
)
from domain.dialects.chat.reading import effort_of
from domain.dialects.fields import (
    Fields,
    cache_mark,
    flag,
    integer,
    invalid,
    items,
    mapping,
    number,
    optional,
    required,
    text,
    texts,
)
from domain.dialects.messages.betas import FIELD, betas_of, label
from domain.dialects.messages.blocks import content_parts, text_blocks

_KNOWN = frozenset(
    {
        "model",
        "messages",
        "system",
        "max_tokens",
        "stream",
        "tools",
        "tool_choice",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "thinking",
        "output_config",
        "output_format",
        "metadata",
        FIELD,
    }
)
# Leaving these out would bring another answer than the one that is asked for.
_ANTHROPIC_ALONE = ("container", "mcp_servers")


def read_request(body: Mapping[str, Any]) -> Request:
    """See `domain.dialects.surface.Surface.read`."""
    for name in _ANTHROPIC_ALONE:
        if body.get(name):
            raise Untranslatable(f"only Anthropic itself has {name}", name)
    choice, parallel = _tool_choice(body)
    effort, budget, shown = _reasoning(body)
    limit = required(body, "max_tokens", integer)
    if limit < 0:
        raise invalid("max_tokens", "must not be negative")
    return Request(
        system=_system(body),
        turns=_turns(required(body, "messages", items)),
        tools=tuple(_tools(body)),
        tool_choice=choice,
        parallel_tools=parallel,
        output=_output(body),
        max_output_tokens=limit,
        temperature=optional(body, "temperature", number),
        top_p=optional(body, "top_p", number),
        top_k=optional(body, "top_k", integer),
        stop=optional(body, "stop_sequences", texts) or (),
        effort=effort,
        thinking_budget=budget,
        show_thinking=shown,
        user=optional(optional(body, "metadata", mapping) or {}, "user_id", text, "metadata."),
        extras=_extras(body),
    )


def _extras(body: Mapping[str, Any]) -> dict[str, Any]:
    """What has no canonical form; each beta by itself, since a host may take some of them."""
    extras = {n: v for n, v in body.items() if n not in _KNOWN and v is not None}
    return extras | {label(beta): True for beta in betas_of(body)}


def _system(body: Fields) -> tuple[Text, ...]:
    system = body.get("system")
    return () if system is None else text_blocks(system, "system")


def _turns(messages: object) -> tuple[Turn, ...]:
    turns = []
    for place, given in enumerate(items(messages, "messages")):
        message, within = mapping(given, f"messages[{place}]"), f"messages[{place}]."
        parts = content_parts(message.get("content"), f"{within}content")
        role = message.get("role")
        if role not in ("user", "assistant", "system"):
            raise invalid(f"{within}role", "must be user or assistant")
        turns.append(Turn(role, parts))
    if not turns:
        raise invalid("messages", "must hold at least one message")
    return tuple(turns)


def _tools(body: Fields) -> Iterator[Tool]:
    for place, given in enumerate(optional(body, "tools", items) or ()):
        tool, within = mapping(given, f"tools[{place}]"), f"tools[{place}]."
        if tool.get("type", "custom") not in ("custom", None):
            raise Untranslatable(f"only Anthropic runs the tool {tool['type']!r}", "tools")
        yield Tool(
            name=required(tool, "name", text, within),
            description=optional(tool, "description", text, within),
            schema=required(tool, "input_schema", mapping, within),
            strict=optional(tool, "strict", flag, within),
            cache=cache_mark(tool),
        )


def _tool_choice(body: Fields) -> tuple[ToolChoice | None, bool | None]:
    """The choice, and whether several tools may be called at once."""
    given = optional(body, "tool_choice", mapping)
    if given is None:
        return None, None
    parallel = False if given.get("disable_parallel_tool_use") is True else None
    match given.get("type"):
        case "auto" | "none" as mode:
            return ToolChoice(mode), parallel
        case "any":
            return ToolChoice("required"), parallel
        case "tool":
            return ToolChoice(
                "required", (required(given, "name", text, "tool_choice."),)
            ), parallel
        case _:
            raise invalid("tool_choice.type", "must be auto, any, tool or none")


def _reasoning(body: Fields) -> tuple[Effort | None, int | None, bool | None]:
    """Effort, budget in tokens, and whether the reasoning is to be shown."""
    config = optional(body, "output_config", mapping) or {}
    named = optional(config, "effort", text, "output_config.")
    effort = None if named is None else effort_of(named, "output_config.effort")
    thinking = optional(body, "thinking", mapping)
    if thinking is None:
        return effort, None, None
    shown = {"summarized": True, "omitted": False}.get(str(thinking.get("display")))
    match thinking.get("type"):
        case "disabled":
            return "none", None, None
        case "adaptive":
            # What Anthropic takes it for when no effort is named.
            return effort or "high", None, shown
        case "enabled":
            budget = required(thinking, "budget_tokens", integer, "thinking.")
            return effort, budget, True if shown is None else shown
        case kind:
            raise Untranslatable(f"only Anthropic thinks in the way {kind!r}", "thinking")


def _output(body: Fields) -> OutputFormat | None:
    config = optional(body, "output_config", mapping) or {}
    asked = optional(config, "format", mapping, "output_config.")
    if asked is None:
        asked = optional(body, "output_format", mapping)
    if asked is None:
        return None
    if asked.get("type") != "json_schema":
        raise invalid("output_config.format.type", "must be json_schema")
    schema = required(asked, "schema", mapping, "output_config.format.")
    return OutputFormat(kind="json_schema", schema=schema)
