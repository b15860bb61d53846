"""The lists of models of the usable providers, each with its place, its shape and its unit."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

from adapters.providers.credential import Credential
from adapters.providers.model_lists.fetching import HttpModelList, ListPlace
from adapters.providers.model_lists.pages import ListForm
from adapters.providers.model_lists.shapes import PricePlaces
from adapters.providers.session import HttpSession
from domain.ports.model_lists import ModelList
from infra.providers.addresses import NoAddress
from infra.providers.probing import listing_url
from infra.providers.registry import ModelsFacts, PriceFacts
from infra.providers.wires import aws_signer, credential_of
from infra.settings import ProviderSettings, Settings

_APART = ("cache_read", "cache_write", "reasoning", "input_audio", "request", "search")
_OLLAMA = ModelsFacts(path="/api/tags", auth=False, items="models", shape="ollama")


def model_lists(settings: Settings, session: HttpSession) -> Mapping[str, ModelList]:
    """The list of each usable provider that is known to have one that we can read."""
    found = {
        name: _list_of(provider, session, settings.catalogue.timeout)
        for name, provider in settings.usable_providers.items()
    }
    return {name: one for name, one in found.items() if one is not None}


def form_of(listing: ModelsFacts) -> ListForm:
    """How the list is written."""
    return ListForm(listing.shape, listing.items, _places(listing.price))


def _list_of(provider: ProviderSettings, session: HttpSession, timeout: float) -> ModelList | None:
    listing = _listing(provider)
    if listing is None:
        return None
    try:
        place = _place(provider, listing)
    except NoAddress:
        return None
    return HttpModelList(session, place, form_of(listing), timeout)


def _listing(provider: ProviderSettings) -> ModelsFacts | None:
    if provider.protocol == "ollama":
        return _OLLAMA
    facts = provider.facts
    if facts is None or provider.protocol != facts.protocol or provider.client_secret is not None:
        return None
    return facts.models


def _place(provider: ProviderSettings, listing: ModelsFacts) -> ListPlace:
    if provider.protocol == "bedrock-converse":
        region = provider.setting("region")
        return ListPlace(listing.path.replace("{region}", region), _signed(provider))
    credential = credential_of(provider)
    url = credential.url(listing_url(provider, listing.path))
    return ListPlace(url, _with(credential))


def _with(credential: Credential) -> Callable[[str], Awaitable[Mapping[str, str]]]:
    async def headers(_: str) -> Mapping[str, str]:
        return credential.headers()

    return headers


def _signed(provider: ProviderSettings) -> Callable[[str], Awaitable[Mapping[str, str]]]:
    signer = aws_signer(provider)

    async def headers(url: str) -> Mapping[str, str]:
        return await signer.signed(url, {}, b"", "GET")

    return headers


def _places(price: PriceFacts | None) -> PricePlaces:
    if price is None:
        return PricePlaces()
    paths = {"input_picodollars": price.input, "output_picodollars": price.output}
    for name in _APART:
        if (path := getattr(price, name)) is not None:
            paths[f"{name}_picodollars"] = path
    return PricePlaces(paths, Decimal(price.scale))
