"""Which providers take a customer's own key, and what calls them with it.

A key alone must be enough: whatever else a provider needs (a resource, a workspace, an account)
would be the house's. Nothing of the house's own credential goes along.
"""

from pydantic import SecretStr, ValidationError

from adapters.providers.session import HttpSession
from domain.catalog.suggestions import Suggestions
from domain.errors import InvalidRequest
from domain.ports.clock import Clock
from domain.ports.provider import Provider
from infra.offers import build_provider
from infra.providers.addresses import NoAddress, address
from infra.providers.registry import ProviderFacts
from infra.providers.wires import fault_of
from infra.settings import ProviderSettings, Settings

# What the operator chose for everybody: where a provider is reached, and for how long.
_KEPT = ("preset", "protocol", "base_url", "region", "location", "timeouts")


class NoOwnKey(ValueError):
    """The provider cannot be called with a customer's key alone; the text says why."""


class OwnKeyPolicy:
    """Implements `api.ports.OwnKeys`; answers for the configured providers."""

    def __init__(self, settings: Settings) -> None:
        self._providers = settings.providers
        self._names = Suggestions(settings.providers)

    def require(self, provider: str, api_key: str) -> None:
        """Raises `InvalidRequest` unless the provider can be called with this key alone."""
        configured = self._providers.get(provider)
        if configured is None:
            raise InvalidRequest(
                f"no provider is named {provider[:80]!r}{self._suggestion(provider[:80])}",
                code="unknown_provider",
                param="provider",
            )
        try:
            own_settings(configured, api_key)
        except NoOwnKey as problem:
            raise InvalidRequest(
                f"{provider} takes no key of yours: {problem}",
                code="provider_key_not_supported",
                param="provider",
            ) from problem

    def _suggestion(self, provider: str) -> str:
        close = self._names.close_to(provider)
        return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


class OwnKeyBuilder:
    """Makes what calls a provider with a customer's key: `workers.own_providers.BuildProvider`."""

    def __init__(self, settings: Settings, session: HttpSession, clock: Clock) -> None:
        self._settings, self._session, self._clock = settings, session, clock

    def __call__(self, provider: str, api_key: str) -> Provider | None:
        configured = self._settings.providers.get(provider)
        if configured is None:
            return None
        try:
            own = own_settings(configured, api_key)
        except NoOwnKey:
            return None
        return build_provider(own, self._settings, self._session, self._clock)


def own_settings(provider: ProviderSettings, api_key: str) -> ProviderSettings:
    """The provider as a customer with this key reaches it. Raises `NoOwnKey`."""
    if not provider.enabled:
        raise NoOwnKey("it is switched off here")
    if not _takes_key(provider):
        raise NoOwnKey("it is called without one")
    if provider.facts is not None:
        _require_common_address(provider.facts)
    kept = {name: getattr(provider, name) for name in _KEPT if name in provider.model_fields_set}
    try:
        own = ProviderSettings(**kept, api_key=SecretStr(api_key))
    except ValidationError as problem:
        raise NoOwnKey("it is not set up to be called here") from problem
    if own.lacks:
        raise NoOwnKey("it needs more than a key")
    if fault_of(own) is not None:
        raise NoOwnKey("a key alone is no credential there")
    return own


def _takes_key(provider: ProviderSettings) -> bool:
    if provider.protocol == "simulator":
        return False
    if provider.facts is not None:
        # The operator's own machine is nobody else's provider, and must not be reached by this way.
        return provider.facts.region != "self"
    return "api_key" in provider.model_fields_set or bool(provider.unset_variables)


def _require_common_address(facts: ProviderFacts) -> None:
    try:
        address(facts, facts.protocol, {})
    except NoAddress as problem:
        raise NoOwnKey(f"it needs your {problem.setting} beside it") from problem
