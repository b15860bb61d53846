"""Where providers handle requests and what they do with them, for the filters of routing."""

from collections.abc import Mapping

from domain.routing.candidates import ProviderFacts
from infra.settings import Settings


def provider_facts(settings: Settings) -> Mapping[str, ProviderFacts]:
    """The facts of each provider, by its name; what nobody vouches for is not known.

    Customers' own keys may call one that the house does not use.
    """
    return {
        name: ProviderFacts(provider.regions, provider.data_handling)
        for name, provider in settings.providers.items()
    }
