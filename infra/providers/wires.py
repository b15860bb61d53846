"""The wire of a provider, by its protocol: the one table that knows every wire adapter."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr

from adapters.providers.anthropic import AnthropicWire
from adapters.providers.bedrock.credentials import (
    AccessKey,
    BearerToken,
    BotocoreMissing,
    Credentials,
    DefaultChain,
    Signer,
)
from adapters.providers.bedrock.wire import BedrockWire
from adapters.providers.chat_quirks import NO_QUIRKS
from adapters.providers.cohere.wire import CohereWire
from adapters.providers.credential import BEARER, Credential
from adapters.providers.entra_tokens import AUTHORITY, Application, EntraTokens, TokenWire
from adapters.providers.gemini.wire import GeminiWire
from adapters.providers.google_tokens import GoogleTokens
from adapters.providers.http import Wire
from adapters.providers.ollama import OllamaWire
from adapters.providers.openai_chat import OpenAIChatWire
from adapters.providers.openai_responses import OpenAIResponsesWire
from adapters.providers.own_wires import OwnWires
from adapters.providers.vertex import VertexWire
from adapters.providers.vertex_places import PlacedVertexWire
from domain.dialects.chat.turns import MessageForm
from domain.inference.events import Endpoint
from infra.providers.addresses import NoAddress, filled, is_versioned, moved
from infra.providers.registry import Protocol, ProviderFacts
from infra.settings.providers import ProviderSettings

# How each wire's own vendor wants its key; others mostly want a bearer token on all their wires.
_HEADER_OF_WIRE: Mapping[Protocol, tuple[str, str]] = {
    "anthropic-messages": ("x-api-key", "{key}"),
    "gemini": ("x-goog-api-key", "{key}"),
}
_BEARER = ("Authorization", BEARER)
# In an address: the host is the customer's own, and has every route.
_SETTING = "{"
_ENDPOINTS: Mapping[Protocol, Endpoint] = {
    "anthropic-messages": "/v1/messages",
    "openai-responses": "/v1/responses",
}


def build_wire(provider: ProviderSettings) -> Wire:
    """The wire at the provider's address, with its credential and its quirks.

    Raises `ValueError` or `BotocoreMissing` for a credential that can be none.
    """
    wire = _wires_of(provider)
    tokens = _entra(provider)
    return wire if tokens is None else TokenWire(wire, tokens)


def _wires_of(provider: ProviderSettings) -> Wire:
    usual = WIRES[provider.protocol](provider)
    facts = provider.facts
    if facts is None or provider.protocol != facts.protocol:
        return usual
    own = {wire: _other_wire(provider, facts, wire) for wire in facts.own}
    alone = [
        (wire, facts.alone[name]) for name, wire in own.items() if wire and name in facts.alone
    ]
    alone += _elsewhere(provider, facts)
    by_endpoint = {_ENDPOINTS[name]: wire for name, wire in own.items() if wire}
    return OwnWires(usual, by_endpoint, alone) if by_endpoint or alone else usual


def _other_wire(
    provider: ProviderSettings, facts: ProviderFacts, protocol: Protocol
) -> Wire | None:
    """Another wire of the provider's, where its address can be known."""
    changes: dict[str, Any] = {"protocol": protocol}
    if provider.base_url is not None:
        if _SETTING not in facts.base_url:
            return None  # what another address than the known one speaks is not known
        changes["base_url"] = moved(facts.also[protocol], provider.base_url)
    return WIRES[protocol](provider.model_copy(update=changes))


def _elsewhere(
    provider: ProviderSettings, facts: ProviderFacts
) -> list[tuple[Wire, tuple[str, ...]]]:
    if provider.base_url is not None:
        return []
    credential = credential_of(provider)
    return [
        (OpenAIChatWire(url, credential), (pattern,)) for pattern, url in facts.elsewhere.items()
    ]


def fault_of(provider: ProviderSettings) -> str | None:
    """Why no wire can be made of these settings."""
    try:
        build_wire(provider)
    except (ValueError, BotocoreMissing) as problem:
        return str(problem)
    return None


def credential_of(provider: ProviderSettings) -> Credential:
    """What goes with every request to a provider whose key is sent in a header."""
    facts = provider.facts
    key = _text(provider.api_key)
    if facts is None:
        header, scheme = _HEADER_OF_WIRE.get(provider.protocol, _BEARER)
        return Credential(key, header, scheme, provider.headers)
    header, scheme = _header(provider.protocol, facts)
    extra = {**_headers(facts, provider.in_address), **provider.headers}
    return Credential(key, header, scheme, extra, _query(provider, facts))


def _header(protocol: Protocol, facts: ProviderFacts) -> tuple[str, str]:
    own = (facts.header, facts.scheme)
    if facts.protocol in (protocol, "azure-openai") or (own == _BEARER and protocol != "gemini"):
        return own
    return _HEADER_OF_WIRE.get(protocol, _BEARER)


def _headers(facts: ProviderFacts, values: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, text in facts.headers.items():
        try:
            found[name] = filled(text, values)
        except NoAddress:
            continue  # it belongs to a setting that is not set
    return found


def _query(provider: ProviderSettings, facts: ProviderFacts) -> Mapping[str, str]:
    if provider.protocol != facts.protocol:
        return {}
    if is_versioned(facts, provider.in_address):
        return {**facts.query, "api-version": provider.in_address["api_version"]}
    return facts.query


def _openai_chat(provider: ProviderSettings) -> Wire:
    facts = provider.facts
    credential = credential_of(provider)
    if facts is None:
        return OpenAIChatWire(provider.address(), credential)
    quirks = facts.quirks if facts.protocol == provider.protocol else NO_QUIRKS
    form = MessageForm(reasoning_field=facts.reasoning_field, cache_marks=facts.cache_marks)
    return OpenAIChatWire(provider.address(), credential, quirks, form)


def _entra(provider: ProviderSettings) -> EntraTokens | None:
    secret = _text(provider.client_secret)
    if provider.api_key is not None or secret is None:
        return None
    tenant, client = provider.tenant_id or "", provider.client_id or ""
    return EntraTokens(Application(tenant, client, secret, provider.authority or AUTHORITY))


def _anthropic(provider: ProviderSettings) -> Wire:
    return AnthropicWire(provider.address(), credential_of(provider))


def _openai_responses(provider: ProviderSettings) -> Wire:
    return OpenAIResponsesWire(provider.address(), credential_of(provider))


def _gemini(provider: ProviderSettings) -> Wire:
    return GeminiWire(provider.address(), _text(provider.api_key))


def _cohere(provider: ProviderSettings) -> Wire:
    return CohereWire(provider.address(), credential_of(provider))


def _ollama(provider: ProviderSettings) -> Wire:
    return OllamaWire(provider.address(), credential_of(provider))


def _vertex(provider: ProviderSettings) -> Wire:
    file = provider.credentials_file
    credentials = _text(provider.credentials_json) or (None if file is None else str(file))
    tokens = GoogleTokens(credentials)

    def at(location: str) -> VertexWire:
        return VertexWire(provider.project, location, tokens, base_url=provider.base_url)

    location = at(provider.setting("location"))
    return PlacedVertexWire(location, at("global")) if provider.may_be_global else location


def _bedrock(provider: ProviderSettings) -> Wire:
    region = provider.setting("region")
    return BedrockWire(region, _aws_credentials(provider), base_url=provider.base_url)


def aws_signer(provider: ProviderSettings) -> Signer:
    """What signs requests to AWS in the provider's region."""
    return Signer(_aws_credentials(provider), provider.setting("region"))


def _aws_credentials(provider: ProviderSettings) -> Credentials:
    if token := _text(provider.api_key):
        return BearerToken(token)
    key_id, secret = _text(provider.access_key_id), _text(provider.secret_access_key)
    if key_id and secret:
        return AccessKey(key_id, secret, _text(provider.session_token))
    return DefaultChain(provider.profile)


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


WIRES: Mapping[Protocol, Callable[[ProviderSettings], Wire]] = {
    "openai-chat": _openai_chat,
    "azure-openai": _openai_chat,
    "openai-responses": _openai_responses,
    "anthropic-messages": _anthropic,
    "gemini": _gemini,
    "vertex": _vertex,
    "bedrock-converse": _bedrock,
    "cohere": _cohere,
    "ollama": _ollama,
}
