"""How a model on Bedrock is told how much to think."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.providers.bedrock.models import Model
from adapters.providers.target import Dropped
from domain.dialects.canonical import (
    Effort,
    Part,
    Redacted,
    Request,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)

_SMALLEST_BUDGET: Final = 1024
# What an answer gets beside the thinking where the caller set no limit.
_ROOM_TO_ANSWER: Final = 4096
_BUDGETS: Final[Mapping[Effort, int]] = {
    "minimal": 1024,
    "low": 1024,
    "medium": 4096,
    "high": 16384,
    "xhigh": 32000,
    "max": 64000,
}
_THREE_EFFORTS: Final[Mapping[Effort, str]] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}


@dataclass(frozen=True, slots=True)
class ThinkingPlan:
    """The model's own fields, Converse's `effort`, and the limit of output that leaves room.

    While a model `thinks` on a plan it refuses sampling parameters and forced tools.
    """

    max_tokens: int | None
    fields: Mapping[str, Any] = field(default_factory=dict)
    effort: str | None = None
    thinks: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """The most tokens that the caller asked for, and that the model puts out, where known."""

    asked: int | None
    most: int | None


def plan_thinking(request: Request, model: Model, limits: Limits, dropped: Dropped) -> ThinkingPlan:
    """What to send."""
    max_tokens = limits.asked
    effort = _effort(request)
    if effort is None:
        return ThinkingPlan(max_tokens)
    by_budget = model.takes_budget and request.thinking_budget and effort != "none"
    match "budget" if by_budget else model.reasoning:
        case "budget" if effort != "none":
            return _budgeted(request, model, limits, dropped)
        case "adaptive":
            return _adaptive(request, model, limits, dropped)
        case "nova" if effort != "none":
            return _nova(request, effort, max_tokens, dropped)
        case "openai":
            return _openai(request, effort, max_tokens, dropped)
        case _ if effort == "none":
            return ThinkingPlan(max_tokens)
        case _:
            drop_thinking(request, dropped)
            return ThinkingPlan(max_tokens)


def drop_thinking(request: Request, dropped: Dropped) -> None:
    """Names what asked for the thinking that there is none of."""
    dropped.add("thinking_budget" if request.effort is None else "effort")


def _effort(request: Request) -> Effort | None:
    """The effort that is asked for, by name or by a budget."""
    budget = request.thinking_budget
    if request.effort is not None or budget is None:
        return request.effort
    if budget <= 0:
        return "none"
    return "low" if budget <= 2048 else "medium" if budget <= 8192 else "high"


def _budgeted(request: Request, model: Model, limits: Limits, dropped: Dropped) -> ThinkingPlan:
    named = _BUDGETS.get(request.effort or "none", 0)
    budget = max(request.thinking_budget or named, _SMALLEST_BUDGET)
    roomy = budget + _ROOM_TO_ANSWER
    limit = limits.asked or min(roomy, limits.most or roomy)
    if budget >= limit:
        budget = max(limit * 3 // 4, _SMALLEST_BUDGET)  # the rest is for the answer
    # Within a tool loop the thinking before the calls must come back; without it there is none.
    if budget >= limit or _forces_tool(request) or _lost_thinking(request.turns, model):
        drop_thinking(request, dropped)
        return ThinkingPlan(limits.asked)
    fields = {"thinking": {"type": "enabled", "budget_tokens": budget}}
    return ThinkingPlan(limit, fields, thinks=True)


def _adaptive(request: Request, model: Model, limits: Limits, dropped: Dropped) -> ThinkingPlan:
    effort = _effort(request) or "none"
    if effort == "none" and not model.always_thinks:
        return ThinkingPlan(limits.asked, {"thinking": {"type": "disabled"}})
    if effort == "none":
        drop_thinking(request, dropped)
    told = _known(effort, model)
    if _forces_tool(request) and not model.always_thinks:
        # The effort holds without thinking as well, and the choice of a tool weighs more.
        drop_thinking(request, dropped)
        return ThinkingPlan(limits.asked, effort=told)
    shown = "omitted" if request.show_thinking is False else "summarized"
    thinking = {"type": "adaptive", "display": shown}
    return ThinkingPlan(limits.asked, {"thinking": thinking}, told, thinks=True)


def _known(effort: Effort, model: Model) -> str:
    """The effort, or the nearest one that the model knows."""
    if effort in ("none", "minimal"):
        return "low"
    if effort in ("xhigh", "max") and effort not in model.highest:
        return "xhigh" if effort == "max" and "xhigh" in model.highest else "high"
    return effort


def _nova(
    request: Request, effort: Effort, max_tokens: int | None, dropped: Dropped
) -> ThinkingPlan:
    said = _THREE_EFFORTS[effort]
    # With the highest effort it takes neither a limit nor sampling parameters.
    if said == "high" and (max_tokens or request.temperature is not None or request.top_p):
        drop_thinking(request, dropped)
        said = "medium"
    config = {"type": "enabled", "maxReasoningEffort": said}
    return ThinkingPlan(max_tokens, {"reasoningConfig": config})


def _openai(
    request: Request, effort: Effort, max_tokens: int | None, dropped: Dropped
) -> ThinkingPlan:
    if effort == "none":
        drop_thinking(request, dropped)  # it always thinks
    return ThinkingPlan(max_tokens, {"reasoning_effort": _THREE_EFFORTS.get(effort, "low")})


def is_own(part: Part, model: Model) -> bool:
    """Whether the model signed this reasoning, so that it may have it back: Claude's signatures
    hold on every host of Claude.
    """
    if not isinstance(part, Thinking | Redacted) or not (
        isinstance(part, Redacted) or part.signature
    ):
        return False
    return part.vendor == "bedrock" or (part.vendor == "anthropic" and model.vendor == "anthropic")


def _forces_tool(request: Request) -> bool:
    """Whether a tool must be called, which a model that thinks cannot be made to."""
    choice = request.tool_choice
    return bool(request.tools) and choice is not None and choice.mode == "required"


def _lost_thinking(turns: tuple[Turn, ...], model: Model) -> bool:
    """Whether the request goes on after tool calls whose signed thinking is not there."""
    for turn in reversed(turns):
        if turn.role == "assistant":
            calls = any(isinstance(part, ToolCall) for part in turn.parts)
            return calls and not any(is_own(part, model) for part in turn.parts)
        if not any(isinstance(part, ToolResult) for part in turn.parts):
            return False
    return False
