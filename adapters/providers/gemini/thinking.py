"""How much a Google model shall think, and whether it shows it."""

from typing import Any

from adapters.providers.gemini.traits import Traits
from adapters.providers.target import Dropped
from domain.dialects.canonical import Effort, Request

_LEVELS: dict[Effort, str] = {
    "none": "MINIMAL",
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
# Efforts that no level has quite the measure of.
_INEXACT: frozenset[Effort] = frozenset({"none", "xhigh", "max"})
_BUDGETS: dict[Effort, int] = {"low": 1024, "medium": 8192, "high": 24576}


def thinking_config(request: Request, traits: Traits, dropped: Dropped) -> dict[str, Any]:
    """The `thinkingConfig`, empty where the caller left it to the model."""
    if traits.thinking is None:
        for field in ("effort", "thinking_budget"):
            # A model that never thinks does as it is told by "none".
            if getattr(request, field) not in (None, "none", 0):
                dropped.add(field)
        return {}
    config: dict[str, Any] = {}
    if traits.thinking == "level":
        config |= _level(request, traits, dropped)
    else:
        config |= _budget(request, traits, dropped)
    if _is_shown(request) and config.get("thinkingBudget") != 0:
        config["includeThoughts"] = True
    return config


def _is_shown(request: Request) -> bool:
    """Who asks for thought and does not mind may see it."""
    if request.show_thinking is not None:
        return request.show_thinking
    return (request.effort or request.thinking_budget or "none") != "none"


def _level(request: Request, traits: Traits, dropped: Dropped) -> dict[str, Any]:
    effort = request.effort
    if effort is None:
        if request.thinking_budget is None:
            return {}
        effort = _effort_of(request.thinking_budget)
        if effort == "none":
            dropped.add("thinking_budget")
    elif effort in _INEXACT:
        dropped.add("effort")
    level = _LEVELS[effort]
    if level not in traits.levels:
        dropped.add("effort" if request.effort else "thinking_budget")
        level = "LOW" if level == "MINIMAL" else "HIGH"
    return {"thinkingLevel": level}


def _effort_of(budget: int) -> Effort:
    if budget <= 0:
        return "none"
    if budget <= 2048:
        return "low"
    return "medium" if budget <= 8192 else "high"


def _budget(request: Request, traits: Traits, dropped: Dropped) -> dict[str, Any]:
    least, most = traits.budget
    budget, field = request.thinking_budget, "thinking_budget"
    if budget is None:
        if request.effort is None:
            return {}
        field = "effort"
        wanted = {"none": 0, "minimal": least, "xhigh": most, "max": most, **_BUDGETS}
        budget = wanted[request.effort]
    if budget <= 0 and traits.may_stop:
        return {"thinkingBudget": 0}
    taken = min(max(budget, least), most)
    if taken != budget:
        dropped.add(field)
    return {"thinkingBudget": taken}
