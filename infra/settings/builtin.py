"""What is known without any configuration: the simulator, the well-known providers, some models.

A price is a fact that needs a source
(promise P9): those here are the list prices in genai-prices 0.2.3 (MIT), read on 2026-11-23. The
configuration adds models and corrects prices.
"""

from collections.abc import Mapping
from typing import Any

from infra.providers.environment import known_providers


def _priced(provider: str, native_id: str, **prices: str) -> dict[str, str]:
    return {"provider": provider, "native_id": native_id, **prices}


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
    providers = {"simulator": {"protocol": "simulator"}, **known_providers(environment)}
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
