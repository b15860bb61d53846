"""What the variables that vendors' own tools read say about the well-known providers."""

from collections.abc import Mapping
from typing import Any

from infra.providers.addresses import completed
from infra.providers.registry import Pin, ProviderFacts, registry


def known_providers(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Settings of every well-known provider, by its name, from the environment alone."""
    return {name: _provider(name, facts, environment) for name, facts in registry().items()}


def every_variable() -> frozenset[str]:
    """The names of all variables that are read for providers."""
    return frozenset(
        variable
        for facts in registry().values()
        for variable in (
            *(one for variables in facts.variables.values() for one in variables),
            *((facts.pin.variable, *facts.pin.shared) if facts.pin else ()),
        )
    )


def _provider(name: str, facts: ProviderFacts, environment: Mapping[str, str]) -> dict[str, Any]:
    found = {"preset": name, "protocol": facts.protocol, **_settings(facts, environment)}
    return found if facts.pin is None else {**found, **_pinned(facts.pin, found, environment)}


def _settings(facts: ProviderFacts, environment: Mapping[str, str]) -> dict[str, str]:
    values = {
        setting: value
        for setting, variables in facts.variables.items()
        if (value := _first(variables, environment)) is not None
    }
    if "base_url" in values:
        values["base_url"] = completed(values["base_url"], facts, values)
    return values


def _pinned(pin: Pin, found: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    chosen = environment.get(pin.variable)
    if not chosen:
        return {}
    if chosen.strip().lower() not in pin.values:
        return {"set_aside": pin.variable}
    shared = _first(pin.shared, environment)
    return {} if "api_key" in found or shared is None else {"api_key": shared}


def _first(variables: tuple[str, ...], environment: Mapping[str, str]) -> str | None:
    return next((environment[name] for name in variables if environment.get(name)), None)
