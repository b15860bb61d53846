"""How hard to think, in the words of chat hosts that do not know OpenAI's `reasoning_effort`."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

EffortForm = Literal["switch", "qwen", "deepseek", "openrouter"]
_NAME: Final = "reasoning_effort"
_BUDGETS: Final[Mapping[str, int]] = {
    "minimal": 1024,
    "low": 1024,
    "medium": 4096,
    "high": 16_384,
    "xhigh": 16_384,
    "max": 16_384,
}
_EXACT: Final = frozenset({"none", "low", "medium", "high"})
_OF_DEEPSEEK: Final[Mapping[str, str]] = {"high": "high", "xhigh": "max", "max": "max"}


def told_effort(body: dict[str, Any], form: EffortForm) -> bool:
    """Says the effort of `body` as the host has it; whether that is what was asked for.

    What the caller said in the host's own words stays.
    """
    effort = body.get(_NAME)
    return True if not isinstance(effort, str) else _FORMS[form](body, effort)


def _switch(body: dict[str, Any], effort: str) -> bool:
    """Thinking is on or off, and knows no degree."""
    del body[_NAME]
    body.setdefault("thinking", {"type": "disabled" if effort == "none" else "enabled"})
    return effort == "none"


def _qwen(body: dict[str, Any], effort: str) -> bool:
    del body[_NAME]
    body.setdefault("enable_thinking", effort != "none")
    if effort != "none":
        body.setdefault("thinking_budget", _BUDGETS.get(effort, _BUDGETS["medium"]))
    return effort in _EXACT


def _deepseek(body: dict[str, Any], effort: str) -> bool:
    if effort == "none":
        return _switch(body, effort)
    body.setdefault("thinking", {"type": "enabled"})
    body[_NAME] = _OF_DEEPSEEK.get(effort, "high")
    return effort in ("high", "max")


def _openrouter(body: dict[str, Any], effort: str) -> bool:
    if effort == "max":
        body[_NAME] = "xhigh"  # its word for the most
    return True


_FORMS: Final[Mapping[EffortForm, Callable[[dict[str, Any], str], bool]]] = {
    "switch": _switch,
    "qwen": _qwen,
    "deepseek": _deepseek,
    "openrouter": _openrouter,
}
