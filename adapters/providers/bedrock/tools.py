"""The tools of a request as Converse has them, and what it lacks told in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.providers.bedrock.messages import cache_points, tool_name
from adapters.providers.bedrock.models import Model
from adapters.providers.target import Dropped
from domain.dialects.canonical import Request, Tool, ToolCall, ToolResult
from domain.dialects.messages.schema import input_schema

# The tool that a model must call where Converse cannot hold it to a schema; its arguments are the
# answer. No caller's tool has this name.
ANSWER_TOOL: Final = "gatewayz_answer"

_CALL_NONE: Final = "Answer without calling any tool."
_CALL_ONE: Final = "Answer by calling at least one of the tools."


@dataclass(frozen=True, slots=True)
class ToolPlan:
    """`toolConfig`, and an instruction for what it cannot say."""

    config: Mapping[str, Any] | None = None
    instruction: str | None = None


def plan_tools(request: Request, model: Model, dropped: Dropped, *, thinks: bool) -> ToolPlan:
    """A model that `thinks` on a plan cannot be forced to call a tool."""
    if request.parallel_tools is False and request.tools:
        dropped.add("parallel_tools")
    choice = request.tool_choice
    if not request.tools or (choice is not None and choice.mode == "none"):
        return _no_tools(request, model, dropped)
    names = choice.names if choice else ()
    tools = [tool for tool in request.tools if not names or tool.name in names]
    config: dict[str, Any] = {"tools": _declared(tools, model, dropped)}
    if choice is None or choice.mode == "auto":
        return ToolPlan(config)
    if thinks or not model.forced_tool:
        dropped.add("tool_choice")
        return ToolPlan(config, _CALL_ONE)
    named = len(tools) == 1 and names and model.named_tool
    config["toolChoice"] = {"tool": {"name": tools[0].name}} if named else {"any": {}}
    return ToolPlan(config)


def answer_tool(request: Request) -> ToolPlan:
    """The one tool whose arguments are the answer."""
    output = request.output
    described = output.description if output else None
    tool = Tool(
        name=ANSWER_TOOL,
        description=described or "Gives the answer.",
        schema=output.schema if output else None,
    )
    choice = {"tool": {"name": ANSWER_TOOL}}
    return ToolPlan({"tools": [{"toolSpec": _spec(tool)}], "toolChoice": choice})


def _no_tools(request: Request, model: Model, dropped: Dropped) -> ToolPlan:
    """Nothing, unless tools were called before: then Converse wants them declared still."""
    called = _called(request)
    if not called:
        return ToolPlan()
    given = {tool.name: tool for tool in request.tools}
    tools = [*given.values(), *(Tool(name=name) for name in called if name not in given)]
    return ToolPlan({"tools": _declared(tools, model, dropped)}, _CALL_NONE)


def _called(request: Request) -> Sequence[str]:
    """The names of the tools in the talk so far."""
    names: dict[str, None] = {}
    for turn in request.turns:
        for part in turn.parts:
            if isinstance(part, ToolCall | ToolResult) and part.name:
                names[part.name] = None
    return list(names)


def _declared(tools: Iterable[Tool], model: Model, dropped: Dropped) -> list[dict[str, Any]]:
    declared: list[dict[str, Any]] = []
    for tool in tools:
        spec = _spec(tool)
        if tool.strict and model.schemas == "native":
            spec["strict"] = True
        elif tool.strict:
            dropped.add("strict")
        declared.append({"toolSpec": spec})
        if model.cached_tools or tool.cache is None:
            declared.extend(cache_points(tool.cache, model, dropped))
        else:
            dropped.add("cache_control")
    return declared


def _spec(tool: Tool) -> dict[str, Any]:
    schema = {"json": input_schema(tool.schema)}
    spec: dict[str, Any] = {"name": tool_name(tool.name), "inputSchema": schema}
    if tool.description:
        spec["description"] = tool.description
    return spec
