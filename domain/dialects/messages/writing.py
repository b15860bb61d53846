"""A canonical request as a messages request, as far as a model takes it.

Model and `stream` are the provider adapter's.
"""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

from domain.dialects.canonical import (
    OutputFormat,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    Untranslatable,
    Written,
)
from domain.dialects.fields import cache_control
from domain.dialects.leaving_out import unless_default, without_extras
from domain.dialects.messages.models import ModelRules
from domain.dialects.messages.schema import input_schema, output_schema
from domain.dialects.messages.thinking import Thought, thought
from domain.dialects.messages.turns import written_system, written_turns

# The tool by which a model answers in a schema that it cannot be bound to otherwise.
ANSWER_TOOL = "gatewayz_answer"
_JSON_ONLY = "Answer with one JSON object only."
_NOT_THERE = (
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "verbosity",
)
_TIERS = {"auto": "auto", "default": "standard_only"}


def write_request(request: Request, rules: ModelRules, model_limit: int | None = None) -> Written:
    """The body; what is left out is named by its canonical field. Raises `Untranslatable`.

    `model_limit` is the most tokens that the model puts out, where that is known better.
    """
    if request.choices > 1:
        raise Untranslatable("the provider gives one answer a request", "choices")
    request, tier = _without_tier(request)
    dropped = [*without_extras(request), *_not_there(request)]
    limit = model_limit or rules.max_output
    max_tokens = limit if request.max_output_tokens is None else request.max_output_tokens
    if max_tokens > limit:
        max_tokens = limit
        dropped.append("max_output_tokens")
    request = _shaped_output(request, rules)
    thinking = thought(request, rules, max_tokens)
    if thinking.dropped:
        dropped.append(thinking.dropped)
    body: dict[str, Any] = {"max_tokens": max_tokens, **tier}
    body["messages"] = written_turns(request.turns, rules)
    if system := written_system(request.system):
        body["system"] = system
    body |= _tools(request, rules) | _thinking(request, thinking)
    body |= _sampling(request, rules, thinking, dropped)
    if request.user is not None:
        body["metadata"] = {"user_id": sha256(request.user.encode()).hexdigest()}
    return Written(body=body, dropped=tuple(dropped))


def _without_tier(request: Request) -> tuple[Request, dict[str, Any]]:
    tier = request.extras.get("service_tier")
    if not isinstance(tier, str) or tier not in _TIERS:
        return request, {}
    extras = {name: value for name, value in request.extras.items() if name != "service_tier"}
    return replace(request, extras=extras), {"service_tier": _TIERS[tier]}


def _not_there(request: Request) -> Iterator[str]:
    for name in _NOT_THERE:
        yield from unless_default(name, getattr(request, name))


def _shaped_output(request: Request, rules: ModelRules) -> Request:
    """A form of the answer that the model cannot be bound to is asked for in another way."""
    output = request.output
    if output is None or output.kind == "text":
        return request
    if output.kind == "json_object":
        return replace(request, system=(*request.system, Text(_JSON_ONLY)), output=None)
    if rules.schema:
        return request
    if request.tools or not rules.forced_tools:
        raise Untranslatable("the model cannot be bound to a schema here", "output")
    return replace(
        request,
        tools=(_answer_tool(output),),
        tool_choice=ToolChoice("required", (ANSWER_TOOL,)),
        output=None,
    )


def _answer_tool(output: OutputFormat) -> Tool:
    description = output.description or "Gives the answer."
    return Tool(name=ANSWER_TOOL, description=description, schema=output.schema)


def _thinking(request: Request, thinking: Thought) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    config: dict[str, Any] = {}
    if thinking.thinking is not None:
        fields["thinking"] = thinking.thinking
    if thinking.effort is not None:
        config["effort"] = thinking.effort
    if request.output is not None and request.output.kind == "json_schema":
        schema = output_schema(request.output.schema or {"type": "object"})
        config["format"] = {"type": "json_schema", "schema": schema}
    if config:
        fields["output_config"] = config
    return fields


def _sampling(
    request: Request, rules: ModelRules, thinking: Thought, dropped: list[str]
) -> dict[str, Any]:
    asked = {
        name: value
        for name in ("temperature", "top_p", "top_k")
        if (value := getattr(request, name)) is not None
    }
    left_out: list[str] = []
    if not rules.sampling:
        left_out = list(asked)
    elif thinking.is_on:
        left_out = [name for name in asked if asked[name] != 1 or name == "top_k"]
    elif rules.one_of_two and "temperature" in asked and "top_p" in asked:
        left_out = ["top_p"]
    taken = {name: value for name, value in asked.items() if name not in left_out}
    if taken.get("temperature", 0) > 1:
        taken["temperature"] = 1
        left_out.append("temperature")
    stops = [stop for stop in request.stop if stop.strip()]
    if len(stops) < len(request.stop):
        left_out.append("stop")
    if stops:
        taken["stop_sequences"] = stops
    dropped.extend(left_out)
    return taken


def _tools(request: Request, rules: ModelRules) -> dict[str, Any]:
    tools, choice = request.tools, request.tool_choice
    if not tools:
        return _history_tools(request)
    names = choice.names if choice else ()
    if choice and names and (choice.mode == "auto" or len(names) > 1):
        tools = tuple(tool for tool in tools if tool.name in names)
        names = ()
    fields: dict[str, Any] = {"tools": [_tool(tool, rules) for tool in tools]}
    mode = choice.mode if choice else "auto"
    if mode == "required" and not rules.forced_tools:
        raise Untranslatable("the model cannot be made to call a tool", "tool_choice")
    given: dict[str, Any] = {"type": "any" if mode == "required" else mode}
    if names:
        given = {"type": "tool", "name": names[0]}
    if request.parallel_tools is False and mode != "none":
        given["disable_parallel_tool_use"] = True
    if choice is not None or len(given) > 1:
        fields["tool_choice"] = given
    return fields


def _history_tools(request: Request) -> dict[str, Any]:
    """The tools that were called before must be declared, though none is offered any more."""
    names = {
        part.name for turn in request.turns for part in turn.parts if isinstance(part, ToolCall)
    }
    if not names:
        return {}
    tools = [{"name": name, "input_schema": input_schema(None)} for name in sorted(names)]
    return {"tools": tools, "tool_choice": {"type": "none"}}


def _tool(tool: Tool, rules: ModelRules) -> dict[str, Any]:
    written: dict[str, Any] = {"name": tool.name, "input_schema": input_schema(tool.schema)}
    if tool.description:
        written["description"] = tool.description
    if tool.strict and rules.schema:
        written["strict"] = True
    if tool.cache:
        written["cache_control"] = cache_control(tool.cache)
    return written
