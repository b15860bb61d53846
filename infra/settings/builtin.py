"""What is known without any configuration: the simulator, and where well-known providers are.

A known provider is enabled by its key in the environment. A price is a fact that needs a source
(promise P9): those here are the list prices in genai-prices 0.2.3 (MIT), read on 2026-11-23. The
configuration adds models and corrects prices.
"""

from collections.abc import Mapping
from typing import Any


def _priced(provider: str, native_id: str, **prices: str) -> dict[str, str]:
    return {"provider": provider, "native_id": native_id, **prices}


# name: base URL and the variable that holds the key
KNOWN_PROVIDERS = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "deepseek": ("https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "together": ("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "fireworks": ("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "xai": ("https://api.x.ai/v1", "XAI_API_KEY"),
}
# model: kind, context length, output limit, and offers (provider, its name, USD per million)
KNOWN_MODELS: Mapping[str, Any] = {
    "openai/gpt-4o-mini": {
        "context_length": 128_000,
        "max_output_tokens": 16_384,
        "offers": [
            _priced("openai", "gpt-4o-mini", input="0.15", output="0.60"),
            _priced("openrouter", "openai/gpt-4o-mini", input="0.15", output="0.60"),
        ],
    },
    "openai/gpt-4.1-mini": {
        "context_length": 1_000_000,
        "max_output_tokens": 32_768,
        "offers": [_priced("openai", "gpt-4.1-mini", input="0.40", output="1.60")],
    },
    "openai/text-embedding-3-small": {
        "kind": "embedding",
        "context_length": 8_192,
        "offers": [_priced("openai", "text-embedding-3-small", input="0.02")],
    },
    "meta-llama/llama-3.3-70b-instruct": {
        "offers": [
            _priced("groq", "llama-3.3-70b-versatile", input="0.59", output="0.79"),
            _priced(
                "together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", input="0.88", output="0.88"
            ),
        ],
    },
    "x-ai/grok-3-mini": {
        "context_length": 131_072,
        "offers": [_priced("xai", "grok-3-mini", input="0.30", output="0.50")],
    },
}
# The simulator's models; those with a behaviour of their own have it by their native id.
SIMULATED_CHAT = ("chat", "flaky", "slow")


def builtin_values(environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings below every other source."""
    providers: dict[str, Any] = {"simulator": {"protocol": "simulator"}}
    for name, (base_url, variable) in KNOWN_PROVIDERS.items():
        providers[name] = {"base_url": base_url, "api_key": environment.get(variable) or None}
    return {"providers": providers, "models": {**KNOWN_MODELS, **_simulated_models()}}


def _simulated_models() -> dict[str, Any]:
    models = {
        f"simulator/{name}": _simulated(f"simulator-{name}", input="1.00", output="2.00")
        for name in SIMULATED_CHAT
    }
    models["simulator/embed"] = {
        "kind": "embedding",
        **_simulated("simulator-embed", input="0.10"),
    }
    return models


def _simulated(native_id: str, **prices: str) -> dict[str, Any]:
    offer = _priced("simulator", native_id, **prices)
    return {"context_length": 131_072, "max_output_tokens": 4096, "offers": [offer]}
