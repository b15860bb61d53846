"""A chat completion request in the canonical form."""

from collections.abc import Iterator, Mapping
from typing import Any, cast, get_args

from domain.dialects.canonical import (
    Effort,
    OutputFormat,
    Request,
    Tool,
    ToolChoice,
    Untranslatable,
)
from domain.dialects.chat.messages import read_messages
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

_KNOWN = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "functions",
        "function_call",
        "parallel_tool_calls",
        "response_format",
        "max_completion_tokens",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "n",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "logprobs",
        "top_logprobs",
        "reasoning_effort",
        "reasoning",
        "thinking",
        "verbosity",
        "user",
        "safety_identifier",
    }
)


def read_request(body: Mapping[str, Any]) -> Request:
    """See `domain.dialects.surface.Surface.read`."""
    system, turns = read_messages(required(body, "messages", items))
    limit = optional(body, "max_completion_tokens", integer)
    effort, budget, shown = _reasoning(body)
    return Request(
        system=system,
        turns=turns,
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(body),
        parallel_tools=optional(body, "parallel_tool_calls", flag),
        output=_output(body),
        max_output_tokens=optional(body, "max_tokens", integer) if limit is None else limit,
        temperature=optional(body, "temperature", number),
        top_p=optional(body, "top_p", number),
        top_k=optional(body, "top_k", integer),
        stop=_stop(body.get("stop")),
        choices=_choices(body),
        seed=optional(body, "seed", integer),
        presence_penalty=optional(body, "presence_penalty", number),
        frequency_penalty=optional(body, "frequency_penalty", number),
        logprobs=optional(body, "logprobs", flag),
        top_logprobs=optional(body, "top_logprobs", integer),
        effort=effort,
        thinking_budget=budget,
        show_thinking=shown,
        verbosity=optional(body, "verbosity", text),
        user=optional(body, "user", text) or optional(body, "safety_identifier", text),
        extras={n: v for n, v in body.items() if n not in _KNOWN and v is not None},
    )


def _stop(stop: object) -> tuple[str, ...]:
    if stop is None:
        return ()
    return (stop,) if isinstance(stop, str) else texts(stop, "stop")


def _choices(body: Fields) -> int:
    asked = optional(body, "n", integer)
    if asked is not None and asked < 1:
        raise invalid("n", "must be at least 1")
    return asked or 1


def _reasoning(body: Fields) -> tuple[Effort | None, int | None, bool | None]:
    """Effort, budget in tokens and whether the reasoning is wanted.

    Besides OpenAI's effort there are OpenRouter's `reasoning` and Anthropic's `thinking`.
    """
    asked = optional(body, "reasoning", mapping) or {}
    named = optional(body, "reasoning_effort", text) or optional(
        asked, "effort", text, "reasoning."
    )
    budget = optional(asked, "max_tokens", integer, "reasoning.")
    shown = False if asked.get("exclude") else None
    thinking = optional(body, "thinking", mapping) or {}
    if budget is None:
        budget = optional(thinking, "budget_tokens", integer, "thinking.")
    if named is None and (asked.get("enabled") is False or thinking.get("type") == "disabled"):
        named = "none"
    is_on = asked.get("enabled") is True or thinking.get("type") in ("enabled", "adaptive")
    if named is None and budget is None and is_on:
        named = "medium"
    return None if named is None else effort_of(named, "reasoning_effort"), budget, shown


def effort_of(named: str, param: str) -> Effort:
    """One of the known efforts; another is refused."""
    if named not in get_args(Effort):
        raise invalid(param, f"must be one of {', '.join(get_args(Effort))}")
    return cast("Effort", named)


def _tools(body: Fields) -> Iterator[Tool]:
    for place, given in enumerate(optional(body, "tools", items) or ()):
        within = f"tools[{place}]."
        tool = mapping(given, f"tools[{place}]")
        if tool.get("type", "function") != "function":
            raise Untranslatable("only tools that are functions can be sent on", "tools")
        yield _function(required(tool, "function", mapping, within), tool, f"{within}function.")
    for place, given in enumerate(optional(body, "functions", items) or ()):
        function = mapping(given, f"functions[{place}]")
        yield _function(function, function, f"functions[{place}].")


def _function(function: Fields, tool: Fields, within: str) -> Tool:
    return Tool(
        name=required(function, "name", text, within),
        description=optional(function, "description", text, within),
        schema=optional(function, "parameters", mapping, within),
        strict=optional(function, "strict", flag, within),
        cache=cache_mark(tool) or cache_mark(function),
    )


def _tool_choice(body: Fields) -> ToolChoice | None:
    choice = body.get("tool_choice")
    if choice is None:
        return _old_choice(body.get("function_call"))
    match choice:
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case "any":
            return ToolChoice("required")
        case {"type": "function", "function": {"name": str() as name}}:
            return ToolChoice("required", (name,))
        case {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto" | "required" as mode} as of,
        }:
            tools = required(of, "tools", items, "tool_choice.allowed_tools.")
            return ToolChoice(mode, tuple(_allowed(tool) for tool in tools))
        case {"type": "custom"}:
            raise Untranslatable("only tools that are functions can be chosen", "tool_choice")
        case _:
            raise invalid("tool_choice", "is none of the known choices")


def _allowed(tool: object) -> str:
    match tool:
        case {"type": "function", "function": {"name": str() as name}}:
            return name
        case {"type": "function", "name": str() as name}:
            return name
        case _:
            raise Untranslatable("only tools that are functions can be allowed", "tool_choice")


def _old_choice(choice: object) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case "auto" | "none":
            return ToolChoice(choice)
        case {"name": str() as name}:
            return ToolChoice("required", (name,))
        case _:
            raise invalid("function_call", "must be auto, none or the name of a function")


def _output(body: Fields) -> OutputFormat | None:
    asked = optional(body, "response_format", mapping)
    if asked is None:
        return None
    match asked.get("type"):
        case "text":
            return OutputFormat(kind="text")
        case "json_object":
            return OutputFormat(kind="json_object")
        case "json_schema":
            within = "response_format.json_schema."
            given = required(asked, "json_schema", mapping, "response_format.")
            return OutputFormat(
                kind="json_schema",
                schema=optional(given, "schema", mapping, within) or {},
                name=optional(given, "name", text, within),
                description=optional(given, "description", text, within),
                strict=optional(given, "strict", flag, within),
            )
        case kind:
            raise Untranslatable(
                f"the format {kind!r} is known to few providers", "response_format"
            )
