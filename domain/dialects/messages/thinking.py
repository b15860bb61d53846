"""How much a Claude model shall think, in the form that it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.dialects.canonical import Effort, Redacted, Request, Thinking, ToolCall, Turn
from domain.dialects.chat.writing import effort_of_budget
from domain.dialects.messages.models import ModelRules

_LEAST_BUDGET = 1024
_BUDGETS: dict[Effort, int] = {
    "minimal": 1024,
    "low": 1024,
    "medium": 4096,
    "high": 16384,
    "xhigh": 32000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """The fields of the body, whether the model thinks by them, and what could not be kept."""

    thinking: dict[str, Any] | None = None
    effort: str | None = None
    is_on: bool = False
    dropped: str | None = None


def thought(request: Request, rules: ModelRules, max_tokens: int) -> Thought:
    """What `request` asks for, as far as the model and the rest of the request let it."""
    asked = "effort" if request.thinking_budget is None else "thinking_budget"
    if request.effort is None and request.thinking_budget is None:
        return Thought(is_on=rules.always_thinks)
    if request.effort == "none" or request.thinking_budget == 0:
        return _none(rules)
    if rules.budget and (request.thinking_budget is not None or not rules.adaptive):
        return _budget(request, max_tokens) or Thought(dropped=asked)
    if not rules.adaptive:
        return Thought(dropped=asked)
    if _forces_tool(request) and not rules.always_thinks:
        # The effort holds without thinking as well, and the choice of a tool weighs more.
        return Thought(effort=_effort(request, rules), dropped=asked)
    shown = "omitted" if request.show_thinking is False else "summarized"
    thinking = {"type": "adaptive", "display": shown}
    return Thought(thinking=thinking, effort=_effort(request, rules), is_on=True)


def _none(rules: ModelRules) -> Thought:
    if rules.always_thinks:
        return Thought(effort="low", is_on=True, dropped="effort")
    return Thought(thinking={"type": "disabled"} if rules.adaptive else None)


def _effort(request: Request, rules: ModelRules) -> str:
    effort = request.effort
    if effort is None:
        effort = effort_of_budget(request.thinking_budget or 0)
    match effort:
        case "none" | "minimal" | "low":
            return "low"
        case "xhigh":
            return "xhigh" if rules.xhigh else "high"
        case "max":
            return "max" if rules.max else "xhigh" if rules.xhigh else "high"
        case _:
            return effort


def _budget(request: Request, max_tokens: int) -> Thought | None:
    """A budget in tokens, which must leave some for the answer; None where it cannot be had."""
    if max_tokens <= _LEAST_BUDGET or _forces_tool(request) or _is_begun(request.turns):
        return None
    if request.thinking_budget is not None:
        budget = min(request.thinking_budget, max_tokens - 1)
    elif request.effort == "max":
        budget = max_tokens - _LEAST_BUDGET
    else:
        budget = min(_BUDGETS[request.effort or "medium"], max_tokens // 2)
    budget = max(_LEAST_BUDGET, budget)
    return Thought(thinking={"type": "enabled", "budget_tokens": budget}, is_on=True)


def _forces_tool(request: Request) -> bool:
    choice = request.tool_choice
    return bool(request.tools) and choice is not None and choice.mode == "required"


def _is_begun(turns: Sequence[Turn]) -> bool:
    """Whether the answer is under way and what was thought for it is not there.

    In a round of tool calls the model must see its own thinking, signed; a made-up one is refused.
    """
    last = next((turn for turn in reversed(turns) if turn.role == "assistant"), None)
    if last is None:
        return False
    if turns[-1] is last:
        return True
    if not any(isinstance(part, ToolCall) for part in last.parts):
        return False
    first = last.parts[0]
    return not (isinstance(first, Thinking | Redacted) and first.vendor == "anthropic")
