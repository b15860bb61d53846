"""The wire of a provider, by its protocol: the one table that knows every wire adapter."""

from collections.abc import Callable, Mapping

from adapters.providers.chat_quirks import NO_QUIRKS
from adapters.providers.credential import BEARER, Credential
from adapters.providers.http import Wire
from adapters.providers.openai_chat import OpenAIChatWire
from infra.providers.addresses import NoAddress, filled, is_versioned
from infra.providers.registry import Protocol, ProviderFacts
from infra.settings.providers import ProviderSettings

# How a vendor's other wires want its key, where they follow the wire and not the vendor.
_HEADER_OF_WIRE: Mapping[Protocol, tuple[str, str]] = {
    "openai-chat": ("authorization", BEARER),
    "openai-responses": ("authorization", BEARER),
    "gemini": ("x-goog-api-key", "{key}"),
}
_HEADER_WITHOUT_FACTS: Mapping[Protocol, tuple[str, str]] = {
    "anthropic-messages": ("x-api-key", "{key}"),
    "gemini": ("x-goog-api-key", "{key}"),
}


def build_wire(provider: ProviderSettings) -> Wire:
    """The wire at the provider's address, with its credential and its quirks."""
    return WIRES[provider.protocol](provider)


def credential_of(provider: ProviderSettings) -> Credential:
    """What goes with every request to a provider whose key is sent in a header."""
    facts = provider.facts
    key = provider.api_key.get_secret_value() if provider.api_key else None
    if facts is None:
        header, scheme = _HEADER_WITHOUT_FACTS.get(provider.protocol, ("authorization", BEARER))
        return Credential(key, header, scheme, provider.headers)
    header, scheme = _header(provider.protocol, facts)
    extra = {**_headers(facts, provider.in_address), **provider.headers}
    return Credential(key, header, scheme, extra, _query(provider, facts))


def _header(protocol: Protocol, facts: ProviderFacts) -> tuple[str, str]:
    own = (facts.header, facts.scheme)
    if facts.protocol in (protocol, "azure-openai"):
        return own
    return _HEADER_OF_WIRE.get(protocol, own)


def _headers(facts: ProviderFacts, values: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, text in facts.headers.items():
        try:
            found[name] = filled(text, values)
        except NoAddress:
            continue  # it belongs to a setting that is not set
    return found


def _query(provider: ProviderSettings, facts: ProviderFacts) -> Mapping[str, str]:
    if is_versioned(facts, provider.in_address):
        return {**facts.query, "api-version": provider.in_address["api_version"]}
    return facts.query


def _openai_chat(provider: ProviderSettings) -> Wire:
    quirks = provider.facts.quirks if provider.facts else NO_QUIRKS
    return OpenAIChatWire(provider.address(), credential_of(provider), quirks)


WIRES: Mapping[Protocol, Callable[[ProviderSettings], Wire]] = {
    "openai-chat": _openai_chat,
    "azure-openai": _openai_chat,
}
