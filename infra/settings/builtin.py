"""What is known without any configuration: the simulator with its models, well-known providers.

The models of the others are no settings: there are thousands (`infra/model_data`).
"""

from collections.abc import Mapping
from typing import Any

from infra.providers.environment import known_providers


def _priced(provider: str, native_id: str, **prices: str) -> dict[str, str]:
    return {"provider": provider, "native_id": native_id, **prices}


# The simulator's models; those with a behaviour of their own have it by their native id.
SIMULATED_CHAT = ("chat", "flaky", "slow")


def builtin_values(environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings below every other source."""
    providers = {"simulator": {"protocol": "simulator"}, **known_providers(environment)}
    return {"providers": providers, "models": _simulated_models()}


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
