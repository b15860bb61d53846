"""Which host goes first where nothing else tells two offers apart: the tie-breaks, as data.

Closed models: the maker, then its resellers. Open ones: the maker's own interface, then the chain
of all. A chain is no filter: a host that it does not name comes last, and is still asked.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache

DEFAULT_CHAIN: tuple[str, ...] = (
    *("openai", "anthropic", "google-vertex", "google-gemini", "bedrock", "azure-openai", "xai"),
    *("mistral", "deepseek", "cohere", "alibaba-cloud", "moonshot", "minimax", "zai", "meta"),
    *("groq", "cerebras", "fireworks", "together", "deepinfra", "nebius", "sambanova", "novita"),
    *("siliconflow", "hyperbolic", "nvidia-nim", "cloudflare-workers-ai", "near", "chutes"),
    *("featherless", "huggingface", "vercel-ai-gateway", "openrouter", "helicone", "aihubmix"),
    *("anannas", "onerouter"),
)
# The place that hosts share which no chain names.
LAST = len(DEFAULT_CHAIN) + 10
# The first pattern that a model's id matches decides. The suffixes are OpenRouter's products.
_FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    *((f"*:{suffix}", ("openrouter",)) for suffix in ("free", "exacto", "extended", "nitro")),
    *((f"*:{suffix}", ("openrouter",)) for suffix in ("floor", "online")),
    ("openrouter/*", ("openrouter",)),
    ("openai/gpt-oss-*", ()),
    ("openai/*", ("openai", "azure-openai", "openrouter")),
    (
        "anthropic/*",
        (
            *("anthropic", "bedrock", "google-vertex", "openrouter"),
            *("azure-ai-foundry", "databricks"),
        ),
    ),
    ("google/gemini-*", ("google-vertex", "google-gemini", "openrouter")),
    ("x-ai/*", ("xai", "azure-ai-foundry", "openrouter")),
    ("cohere/*", ("cohere", "bedrock", "azure-ai-foundry", "openrouter")),
    ("amazon/*", ("bedrock", "openrouter")),
    ("perplexity/*", ("perplexity", "openrouter")),
    ("meta/muse-*", ("meta", "openrouter")),
)
# Makers of open models that serve them too.
_MAKERS: Mapping[str, str] = {
    "moonshotai": "moonshot",
    "z-ai": "zai",
    "minimax": "minimax",
    "deepseek": "deepseek",
    "qwen": "alibaba-cloud",
    "meta-llama": "meta",
    "meta": "meta",
    "mistralai": "mistral",
    "nvidia": "nvidia-nim",
    "google": "google-gemini",
}


@lru_cache(maxsize=16_384)
def chain_of(model: str) -> Mapping[str, int]:
    """The place of each named host for a model, the first to be asked having the lowest."""
    family = next((chain for pattern, chain in _FAMILIES if fnmatchcase(model, pattern)), ())
    maker = _MAKERS.get(model.partition("/")[0])
    first = family or ((maker,) if maker else ())
    return {name: place for place, name in enumerate(dict.fromkeys((*first, *DEFAULT_CHAIN)))}
