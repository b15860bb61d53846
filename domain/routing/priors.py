"""What is known of the models' quality before any of our own traffic: published figures, as data.

`code`: share of SWE-bench Verified resolved, in per cent, all with one harness (mini-SWE-agent
2.0.0, high reasoning where there is such a mode): swebench.com, February 2026.
`general`: the global average of LiveBench, in per cent, the thinking variant where both are listed:
livebench.ai, June 2026.
Both as collated in the repository benbhall/benbhall.github.io, `_pages/ai-coding-benchmarks.md` at
commit 1db1f865, read on 2026-11-26. A model without a figure has none here: nothing is guessed.
Benchmarks are no promise; the order of near ones means little.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """A model's figures in per cent; None where none was published."""

    code: float | None = None
    general: float | None = None


NO_PRIOR = Prior()
PRIORS: Mapping[str, Prior] = {
    "anthropic/claude-haiku-4.5": Prior(code=66.6, general=45.3),
    "anthropic/claude-opus-4.1": Prior(code=67.6, general=54.5),
    "anthropic/claude-opus-4.5": Prior(code=76.8, general=76.0),
    "anthropic/claude-opus-4.6": Prior(code=75.6, general=76.3),
    "anthropic/claude-opus-4.7": Prior(general=76.9),
    "anthropic/claude-opus-4.8": Prior(general=77.2),
    "anthropic/claude-sonnet-4.5": Prior(code=71.4, general=53.7),
    "anthropic/claude-sonnet-4.6": Prior(general=75.5),
    "deepseek/deepseek-v3.2": Prior(general=62.2),
    "deepseek/deepseek-v4-flash": Prior(code=70.0, general=67.3),
    "deepseek/deepseek-v4-pro": Prior(general=73.6),
    "google/gemini-2.5-flash": Prior(general=47.7),
    "google/gemini-2.5-pro": Prior(code=53.6, general=58.3),
    "google/gemini-3-flash": Prior(code=75.8, general=72.4),
    "google/gemini-3.1-flash-lite": Prior(general=61.7),
    "google/gemini-3.1-pro": Prior(code=69.6, general=79.9),
    "google/gemini-3.5-flash": Prior(general=75.0),
    "minimax/minimax-m2.5": Prior(code=75.8, general=60.1),
    "minimax/minimax-m2.7": Prior(general=63.5),
    "minimax/minimax-m3": Prior(general=70.0),
    "moonshotai/kimi-k2-thinking": Prior(code=63.4, general=61.6),
    "moonshotai/kimi-k2.5": Prior(code=70.8, general=69.1),
    "moonshotai/kimi-k2.6": Prior(general=72.2),
    "openai/gpt-5": Prior(code=65.0, general=70.5),
    "openai/gpt-5-mini": Prior(code=56.2),
    "openai/gpt-5.1": Prior(general=72.0),
    "openai/gpt-5.2": Prior(code=72.8, general=74.8),
    "openai/gpt-5.3-codex": Prior(general=72.8),
    "openai/gpt-5.4": Prior(general=80.3),
    "openai/gpt-5.4-mini": Prior(general=67.5),
    "openai/gpt-5.4-nano": Prior(general=70.1),
    "openai/gpt-5.5": Prior(general=80.7),
    "qwen/qwen3.6-plus": Prior(general=70.9),
    "qwen/qwen3.7-max": Prior(general=74.3),
    "x-ai/grok-4": Prior(general=62.0),
    "x-ai/grok-4.1-fast": Prior(general=60.0),
    "x-ai/grok-4.3": Prior(general=66.7),
    "z-ai/glm-4.7": Prior(general=58.1),
    "z-ai/glm-5": Prior(code=72.8, general=68.9),
}
