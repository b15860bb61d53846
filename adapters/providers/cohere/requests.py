"""A canonical request as a body of Cohere's `/v2/chat`."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.providers.cohere.messages import write_messages
from adapters.providers.target import Dropped, Target, at_most, leave_out, output_limit
from domain.dialects.canonical import Effort, Request, Tool, Untranslatable, Written

_CARRIED: Final = frozenset({"seed", "presence_penalty", "frequency_penalty"})
# What a caller who knows Cohere may ask for by its own names.
_EXTRAS: Final = ("documents", "safety_mode", "citation_options", "priority")
_MAX_STOPS: Final = 5
_MOST_P: Final = 0.99
_LEAST_P: Final = 0.01
_BUDGETS: Final[Mapping[Effort, int]] = {
    "minimal": 1024,
    "low": 1024,
    "medium": 4096,
    "high": 16384,
    "xhigh": 31000,
    "max": 31000,
}


def write_request(request: Request, target: Target) -> Written:
    """The body, but for `stream`, and what has no place in it. Raises `Untranslatable`."""
    dropped = Dropped()
    extras = {name: request.extras[name] for name in _EXTRAS if name in request.extras}
    leave_out(request, dropped, _CARRIED | frozenset(extras))
    if _has_cache_marks(request):
        dropped.add("cache_control")
    body: dict[str, Any] = {
        "model": target.native_id,
        "messages": write_messages(request.system, request.turns),
        **extras,
    }
    body |= _sampling(request, dropped)
    body |= _tools(request, dropped)
    settings = {
        "max_tokens": output_limit(request, target, dropped),
        "stop_sequences": _stops(request),
        "thinking": _thinking(request),
        "response_format": _output(request),
    }
    body |= {name: value for name, value in settings.items() if value is not None}
    return Written(body=body, dropped=tuple(dropped.names))


def _sampling(request: Request, dropped: Dropped) -> Mapping[str, Any]:
    sampling = {
        "temperature": at_most(request.temperature, 1, "temperature", dropped),
        "p": _nucleus(request.top_p, dropped),
        "k": request.top_k,
        "seed": request.seed,
        "presence_penalty": _penalty(request.presence_penalty, "presence_penalty", dropped),
        "frequency_penalty": _penalty(request.frequency_penalty, "frequency_penalty", dropped),
    }
    if request.seed is not None and request.seed < 0:
        dropped.add("seed")
        sampling["seed"] = None
    return {name: value for name, value in sampling.items() if value is not None}


def _nucleus(top_p: float | None, dropped: Dropped) -> float | None:
    """The nearest that Cohere takes; of everything it has but the most, which hardly differs."""
    if top_p is None:
        return None
    nearest = min(max(top_p, _LEAST_P), _MOST_P)
    if top_p not in (nearest, 1):
        dropped.add("top_p")
    return nearest


def _penalty(asked: float | None, name: str, dropped: Dropped) -> float | None:
    if asked is None or 0 <= asked <= 1:
        return asked
    dropped.add(name)
    return 1 if asked > 1 else None


def _tools(request: Request, dropped: Dropped) -> Mapping[str, Any]:
    if not request.tools:
        return {}
    if request.parallel_tools is False:
        dropped.add("parallel_tools")
    choice = request.tool_choice
    names = choice.names if choice else ()
    # No single tool can be named: that it is the only one says the same.
    tools = [tool for tool in request.tools if not names or tool.name in names]
    told: dict[str, Any] = {"tools": [_tool(tool) for tool in tools]}
    if choice is not None and choice.mode != "auto":
        told["tool_choice"] = choice.mode.upper()
    strict = [tool.strict for tool in tools]
    if strict and all(strict):
        told["strict_tools"] = True
    elif any(strict):
        dropped.add("strict")
    return told


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {
        "name": tool.name,
        "parameters": tool.schema or {"type": "object", "properties": {}},
    }
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _stops(request: Request) -> list[str] | None:
    if len(request.stop) > _MAX_STOPS:
        raise Untranslatable(f"the provider takes {_MAX_STOPS} stop sequences", "stop")
    return list(request.stop) or None


def _thinking(request: Request) -> Mapping[str, Any] | None:
    effort, budget = request.effort, request.thinking_budget
    if effort == "none" or (budget is not None and budget <= 0):
        return {"type": "disabled"}
    tokens = budget or (_BUDGETS[effort] if effort else None)
    return {"type": "enabled", "token_budget": tokens} if tokens else None


def _output(request: Request) -> Mapping[str, Any] | None:
    output = request.output
    if output is None or output.kind == "text":
        return None
    if request.tools:
        raise Untranslatable("the provider takes a format or tools, not both", "response_format")
    told: dict[str, Any] = {"type": "json_object"}
    if output.kind == "json_schema":
        told["json_schema"] = output.schema or {"type": "object"}
    return told


def _has_cache_marks(request: Request) -> bool:
    parts = (part for turn in request.turns for part in turn.parts)
    return any(getattr(one, "cache", None) for one in (*request.system, *request.tools, *parts))
