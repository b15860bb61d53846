"""What is known without any configuration: the simulator, and where well-known providers are.

A known provider is enabled by its key in the environment. None of them brings models: a price is
a fact that needs a source, so the configuration names the models and what they cost (promise P9).
"""

from collections.abc import Mapping
from typing import Any

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
SIMULATED_CHAT = ("chat", "flaky", "slow")


def builtin_values(environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings below every other source."""
    providers: dict[str, Any] = {"simulator": {"protocol": "simulator"}}
    for name, (base_url, variable) in KNOWN_PROVIDERS.items():
        providers[name] = {"base_url": base_url, "api_key": environment.get(variable) or None}
    return {"providers": providers, "models": _simulated_models()}


def _simulated_models() -> dict[str, Any]:
    models = {f"simulator/{name}": _simulated(name, output="2.00") for name in SIMULATED_CHAT}
    models["simulator/embed"] = {"kind": "embedding", **_simulated("embed", input="0.10")}
    return models


def _simulated(native_id: str, **prices: str) -> dict[str, Any]:
    offer = {"provider": "simulator", "native_id": native_id, "input": "1.00", **prices}
    return {"context_length": 131_072, "max_output_tokens": 4096, "offers": [offer]}
