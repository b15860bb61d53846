"""A canonical request as a chat completion request, for any host that speaks this wire.

It is written as OpenAI has it; where a host differs is the provider adapter's knowledge. Model,
`stream` and its options are the adapter's too.
"""

from typing import Any

from domain.dialects.canonical import Effort, OutputFormat, Request, Tool, Written
from domain.dialects.chat.turns import MessageForm, written_messages
from domain.dialects.fields import cache_control
from domain.dialects.leaving_out import without_extras

# From how many tokens of thinking which effort is meant.
_EFFORTS: tuple[tuple[int, Effort], ...] = ((0, "none"), (2048, "low"), (8192, "medium"))
_AS_THEY_ARE = (
    "temperature",
    "top_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "verbosity",
    "user",
)


def effort_of_budget(budget: int) -> Effort:
    """The effort that comes closest to a budget of so many tokens."""
    return next((effort for most, effort in _EFFORTS if budget <= most), "high")


def write_request(request: Request, form: MessageForm = MessageForm()) -> Written:  # noqa: B008 (frozen)
    """The body; what is left out is named by its canonical field. Raises `Untranslatable`."""
    dropped = list(without_extras(request))
    body: dict[str, Any] = {"messages": written_messages(request, form)}
    for name in _AS_THEY_ARE:
        if (value := getattr(request, name)) is not None:
            body[name] = value
    if request.max_output_tokens is not None:
        body["max_tokens"] = request.max_output_tokens
    if request.top_k is not None:
        dropped.append("top_k")  # an extension that many hosts refuse
    if request.stop:
        body["stop"] = list(request.stop)
    if request.choices > 1:
        body["n"] = request.choices
    body |= _tools(request, form)
    if request.output is not None and request.output.kind != "text":
        body["response_format"] = _output(request.output)
    if (effort := _effort(request)) is not None:
        body["reasoning_effort"] = effort
    return Written(body=body, dropped=tuple(dropped))


def _effort(request: Request) -> Effort | None:
    if request.effort is not None or request.thinking_budget is None:
        return request.effort
    return effort_of_budget(request.thinking_budget)


def _tools(request: Request, form: MessageForm) -> dict[str, Any]:
    """The tools and how they may be called; of several allowed ones only these are sent."""
    choice, tools = request.tool_choice, request.tools
    if not tools:
        return {}
    names = choice.names if choice else ()
    if len(names) > 1 or (names and choice and choice.mode == "auto"):
        tools = tuple(tool for tool in tools if tool.name in names)
        names = ()
    fields: dict[str, Any] = {"tools": [_tool(tool, form) for tool in tools]}
    if choice is not None:
        named = [{"type": "function", "function": {"name": name}} for name in names]
        fields["tool_choice"] = named[0] if named else choice.mode
    if request.parallel_tools is not None:
        fields["parallel_tool_calls"] = request.parallel_tools
    return fields


def _tool(tool: Tool, form: MessageForm) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.schema is not None:
        function["parameters"] = tool.schema
    if tool.strict is not None:
        function["strict"] = tool.strict
    written: dict[str, Any] = {"type": "function", "function": function}
    if form.cache_marks and tool.cache:
        written["cache_control"] = cache_control(tool.cache)
    return written


def _output(output: OutputFormat) -> dict[str, Any]:
    if output.kind != "json_schema":
        return {"type": output.kind}
    schema: dict[str, Any] = {"name": output.name or "answer", "schema": output.schema or {}}
    if output.description is not None:
        schema["description"] = output.description
    if output.strict is not None:
        schema["strict"] = output.strict
    return {"type": "json_schema", "json_schema": schema}
