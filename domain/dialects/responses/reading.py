"""A responses request in the canonical form."""

from collections.abc import Iterator, Mapping
from typing import Any

from domain.dialects.canonical import (
    Effort,
    OutputFormat,
    Request,
    Text,
    Tool,
    ToolChoice,
    Untranslatable,
)
from domain.dialects.chat.reading import effort_of
from domain.dialects.fields import (
    Fields,
    flag,
    integer,
    invalid,
    items,
    mapping,
    number,
    optional,
    required,
    text,
)
from domain.dialects.responses.items import read_input
from domain.dialects.responses.words import unsupported

_KNOWN = frozenset(
    {
        "background",
        "input",
        "instructions",
        "max_output_tokens",
        "metadata",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
    }
)
# What OpenAI keeps or does for a customer beyond calling the model.
REFUSED = ("context_management", "conversation", "moderation", "prompt", "access_programs")
_ONLY_FUNCTIONS = "only tools that are functions can be had here"
# These run at the caller's, so every host of this wire can be given them.
_CALLERS_TOOLS = ("function", "custom")


def read_request(body: Mapping[str, Any]) -> Request:
    """See `domain.dialects.surface.Surface.read`."""
    refuse_hosted(body)
    instructions = optional(body, "instructions", text)
    system, turns = read_input(required(body, "input", lambda value, _: value))
    effort, shown = _reasoning(body)
    output, verbosity = _text(body)
    top_logprobs = optional(body, "top_logprobs", integer)
    return Request(
        system=(*((Text(instructions),) if instructions else ()), *system),
        turns=turns,
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(body.get("tool_choice")),
        parallel_tools=optional(body, "parallel_tool_calls", flag),
        output=output,
        max_output_tokens=optional(body, "max_output_tokens", integer),
        temperature=optional(body, "temperature", number),
        top_p=optional(body, "top_p", number),
        logprobs=True if top_logprobs else None,
        top_logprobs=top_logprobs,
        effort=effort,
        show_thinking=shown,
        verbosity=verbosity,
        user=optional(body, "user", text) or optional(body, "safety_identifier", text),
        extras={n: v for n, v in body.items() if n not in _KNOWN and v is not None},
    )


def refuse_hosted(body: Mapping[str, Any]) -> None:
    """Raises `InvalidRequest` for what no gateway can do in OpenAI's place."""
    for name in REFUSED:
        if body.get(name):
            raise unsupported(name, "it is kept or done by OpenAI itself, and not to be had here")
    for place, tool in enumerate(optional(body, "tools", items) or ()):
        kind = mapping(tool, f"tools[{place}]").get("type")
        if kind not in _CALLERS_TOOLS:
            raise unsupported(f"tools[{place}].type", f"{_ONLY_FUNCTIONS}, not {kind!r}")


def _reasoning(body: Fields) -> tuple[Effort | None, bool | None]:
    """Effort, and whether readable reasoning is wanted."""
    asked = optional(body, "reasoning", mapping) or {}
    named = optional(asked, "effort", text, "reasoning.")
    summary = optional(asked, "summary", text, "reasoning.") or optional(
        asked, "generate_summary", text, "reasoning."
    )
    effort = None if named is None else effort_of(named, "reasoning.effort")
    return effort, None if summary is None else True


def _tools(body: Fields) -> Iterator[Tool]:
    for place, given in enumerate(optional(body, "tools", items) or ()):
        within = f"tools[{place}]."
        tool = mapping(given, f"tools[{place}]")
        if tool.get("type") != "function":
            raise Untranslatable("only tools that are functions can be sent on", "tools")
        yield Tool(
            name=required(tool, "name", text, within),
            description=optional(tool, "description", text, within),
            schema=optional(tool, "parameters", mapping, within),
            strict=optional(tool, "strict", flag, within),
        )


def _tool_choice(choice: object) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case {"type": "function", "name": str() as name}:
            return ToolChoice("required", (name,))
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode, "tools": list() as of}:
            return ToolChoice(mode, tuple(_allowed(tool) for tool in of))
        case {"type": "custom"}:
            raise Untranslatable("only tools that are functions can be chosen", "tool_choice")
        case {"type": str()}:
            raise unsupported("tool_choice", _ONLY_FUNCTIONS)
        case _:
            raise invalid("tool_choice", "is none of the known choices")


def _allowed(tool: object) -> str:
    match tool:
        case {"type": "function", "name": str() as name}:
            return name
        case _:
            raise Untranslatable("only tools that are functions can be allowed", "tool_choice")


def _text(body: Fields) -> tuple[OutputFormat | None, str | None]:
    """The form of the answer's text, and how wordy it is to be."""
    asked = optional(body, "text", mapping) or {}
    verbosity = optional(asked, "verbosity", text, "text.")
    given = optional(asked, "format", mapping, "text.")
    return None if given is None else _format(given), verbosity


def _format(given: Fields) -> OutputFormat:
    within = "text.format."
    match given.get("type"):
        case "text":
            return OutputFormat(kind="text")
        case "json_object":
            return OutputFormat(kind="json_object")
        case "json_schema":
            return OutputFormat(
                kind="json_schema",
                schema=required(given, "schema", mapping, within),
                name=optional(given, "name", text, within),
                description=optional(given, "description", text, within),
                strict=optional(given, "strict", flag, within),
            )
        case kind:
            raise Untranslatable(f"the format {kind!r} is known to few providers", "text")
