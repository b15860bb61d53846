"""Resolution of model names, and what is for sale."""

from dataclasses import replace

import pytest

from domain.catalog.catalogue import Catalogue, InvalidCatalogue, Model, Strategy
from domain.catalog.events import PriceBookPublished
from domain.catalog.offers import Offer
from domain.catalog.price_books import PriceBooks
from domain.catalog.searching import MOST, MOST_OF_RESEARCH, most_searches, searches
from domain.errors import InvalidRequest, NotFound
from domain.inference.events import Endpoint, OfferRef
from domain.money import TokenPrice

CHAT: Endpoint = "/v1/chat/completions"


def usd(text: str) -> int:
    return TokenPrice.from_usd_per_million(text).picodollars_per_token


CHEAP = Offer(
    provider="h1", native_id="alpha", input_picodollars=usd("1.00"), output_picodollars=usd("2.00")
)
DEAR = Offer(
    provider="h2",
    native_id="alpha-v2",
    input_picodollars=usd("2.00"),
    output_picodollars=usd("4.00"),
)
UNPRICED = Offer(provider="h1", native_id="beta", input_picodollars=usd("1.00"))
ZERO = Offer(
    provider="h1", native_id="zero", input_picodollars=usd("0"), output_picodollars=usd("0")
)
VECTORS = Offer(provider="h1", native_id="vec", input_picodollars=usd("0.10"))

ALPHA = Model(id="acme/alpha", offers=(DEAR, CHEAP))
BETA = Model(id="acme/beta", offers=(UNPRICED,))
EMBED = Model(id="acme/embed", kind="embedding", offers=(VECTORS,))


def catalogue(*models: Model, strategy: Strategy = "price", enabled: str = "h1 h2") -> Catalogue:
    models = models or (ALPHA, BETA, EMBED)
    aliases = {"alpha": "acme/alpha"} if ALPHA in models else {}
    return Catalogue(models, aliases, providers=enabled.split(), strategy=strategy)


def providers(found: Catalogue, name: str = "acme/alpha") -> list[str]:
    return [offer.provider for offer in found.resolve(name, CHAT).offers]


def test_an_alias_resolves_to_its_canonical_model() -> None:
    assert catalogue().resolve("alpha", CHAT).model is ALPHA


def test_the_cheapest_offer_comes_first() -> None:
    assert providers(catalogue()) == ["h1", "h2"]


def test_the_strategy_order_keeps_the_order_listed() -> None:
    assert providers(catalogue(strategy="order")) == ["h2", "h1"]


def test_offers_of_a_provider_that_is_not_enabled_are_left_out() -> None:
    assert providers(catalogue(enabled="h2")) == ["h2"]


def test_an_account_may_have_offers_of_more_providers_by_its_own_keys() -> None:
    found, own = catalogue(enabled="h2"), frozenset({"h1"})
    assert [offer.provider for offer in found.resolve("alpha", CHAT, own).offers] == ["h1", "h2"]
    assert providers(found) == ["h2"]
    pinned = found.resolve("h1/acme/alpha", CHAT, own)
    assert [offer.provider for offer in pinned.offers] == ["h1"]


def test_a_resolved_offer_carries_its_price() -> None:
    first = catalogue().resolve("alpha", CHAT).offers[0]
    assert (first.input_picodollars, first.output_picodollars) == (1_000_000, 2_000_000)


@pytest.mark.parametrize(
    "cheaper",
    [
        replace(CHEAP, native_id="alpha:batch"),
        replace(CHEAP, native_id="alpha-draws", output_image_picodollars=usd("30.00")),
        replace(CHEAP, native_id="sonar"),
        replace(CHEAP, native_id="sonar", source="litellm", search_picodollars=0),
    ],
    ids=["at the price of a batch", "at the price of text", "without searches", "by a zero"],
)
def test_what_costs_more_than_its_price_tells_is_not_sold(cheaper: Offer) -> None:
    found = catalogue(Model(id="acme/alpha", offers=(cheaper, DEAR)))
    assert providers(found) == ["h2"]


@pytest.mark.parametrize(
    "searching",
    [
        replace(CHEAP, native_id="sonar", search_picodollars=0),
        replace(CHEAP, native_id="sonar", source="litellm", search_picodollars=5),
        replace(CHEAP, native_id="sonar", source="litellm", request_picodollars=5),
    ],
    ids=["set to nothing", "by the search", "by the request"],
)
def test_what_searches_is_sold_at_a_price_for_it(searching: Offer) -> None:
    (sold,) = (
        catalogue(Model(id="acme/alpha", offers=(searching,))).resolve("acme/alpha", CHAT).offers
    )
    assert sold.search_picodollars == (searching.search_picodollars or 0)


@pytest.mark.parametrize(
    ("native_id", "searching", "most"),
    [
        ("perplexity/sonar-reasoning-pro", True, MOST),
        ("sonar-deep-research", True, MOST_OF_RESEARCH),
        ("openai/o4-mini-deep-research", True, MOST_OF_RESEARCH),
        ("openai/gpt-4o-search", True, MOST),
        ("gpt-5-search-api-2025-10-14", True, MOST),
        ("openai/gpt-5:online", True, MOST),
        ("groq/compound-mini", True, MOST),
        ("sonar-medium-chat", False, MOST),
        ("relace/relace-search", False, MOST),
        ("stable-image-search-replace", False, MOST),
        ("nousresearch/hermes-4-70b", False, MOST),
        ("gpt-5", False, MOST),
    ],
)
def test_what_searches_is_told_by_its_id(native_id: str, searching: bool, most: int) -> None:
    assert (searches(native_id), most_searches(native_id)) == (searching, most)


def test_an_unknown_model_is_refused_with_names_that_are_close() -> None:
    with pytest.raises(NotFound, match="did you mean 'acme/alpha'") as refused:
        catalogue().resolve("acme/alpa", CHAT)
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


def test_an_unpriced_model_is_never_suggested() -> None:
    with pytest.raises(NotFound) as refused:
        catalogue().resolve("acme/bet", CHAT)
    assert "acme/beta" not in refused.value.message


def test_a_very_long_name_is_cut_in_the_refusal() -> None:
    with pytest.raises(NotFound) as refused:
        catalogue().resolve("a" * 100_000, CHAT)
    assert len(refused.value.message) < 400


def test_a_model_without_a_price_cannot_be_called() -> None:
    with pytest.raises(NotFound, match="no price"):
        catalogue().resolve("acme/beta", CHAT)


def test_a_model_whose_providers_are_all_disabled_cannot_be_called() -> None:
    with pytest.raises(NotFound, match="no enabled provider"):
        catalogue(enabled="h3").resolve("alpha", CHAT)


def test_a_model_of_another_kind_is_refused_for_the_endpoint() -> None:
    with pytest.raises(InvalidRequest, match="embedding") as refused:
        catalogue().resolve("acme/embed", CHAT)
    assert refused.value.param == "model"


def test_an_embedding_offer_needs_no_output_price() -> None:
    offers = catalogue().resolve("acme/embed", "/v1/embeddings").offers
    assert [offer.output_picodollars for offer in offers] == [0]


def test_a_price_of_zero_is_no_price_unless_the_model_is_free() -> None:
    with pytest.raises(NotFound):
        catalogue(Model(id="acme/zero", offers=(ZERO,))).resolve("acme/zero", CHAT)


def test_a_free_model_can_be_called_for_nothing() -> None:
    free = catalogue(Model(id="acme/zero", offers=(ZERO,), free=True))
    assert free.resolve("acme/zero", CHAT).offers[0].input_picodollars == 0


def test_a_free_model_without_any_price_is_not_for_sale() -> None:
    unknown = Offer(provider="h1", native_id="x")
    with pytest.raises(NotFound):
        catalogue(Model(id="acme/x", offers=(unknown,), free=True)).resolve("acme/x", CHAT)


def test_only_what_can_be_called_is_listed() -> None:
    assert [resolved.model.id for resolved in catalogue().listed()] == ["acme/alpha", "acme/embed"]


def test_what_is_not_for_sale_can_be_named() -> None:
    assert catalogue().unpriced_offers() == ((BETA, UNPRICED),)


def test_every_contradiction_is_reported_at_once() -> None:
    twice = Model(id="acme/beta", offers=(UNPRICED, UNPRICED))
    with pytest.raises(InvalidCatalogue) as refused:
        Catalogue((ALPHA, ALPHA, twice), {"acme/beta": "acme/gone"}, providers=["h1"])
    assert len(refused.value.problems) == 4


def book(model: Model, enabled: str = "h1 h2") -> PriceBookPublished:
    return catalogue(model, enabled=enabled).price_book(model)


def test_the_same_prices_have_the_same_version_in_any_order() -> None:
    assert book(ALPHA) == book(Model(id="acme/alpha", offers=(CHEAP, DEAR)))


def test_another_price_is_another_version() -> None:
    dearer = Model(id="acme/alpha", offers=(DEAR,))
    assert book(ALPHA).price_version != book(dearer).price_version


def test_a_price_version_is_a_prefixed_hash() -> None:
    prefix, _, digits = book(ALPHA).price_version.partition("_")
    assert (prefix, len(digits), set(digits) <= set("0123456789abcdef")) == ("pb", 32, True)


def test_what_has_no_price_or_no_enabled_provider_is_not_in_the_price_book() -> None:
    assert book(BETA).offers == ()
    assert [offer.provider for offer in book(ALPHA, enabled="h2").offers] == ["h2"]


def test_an_old_price_book_still_tells_its_prices() -> None:
    books, old = PriceBooks(), book(ALPHA)
    books.publish(old)
    books.publish(book(EMBED))
    priced = books.price(
        old.price_version, "acme/alpha", OfferRef(provider="h2", native_id="alpha-v2")
    )
    assert priced.output_picodollars == 4_000_000


def test_an_unknown_price_version_is_a_lookup_error() -> None:
    with pytest.raises(LookupError):
        PriceBooks().price("pb_x", "acme/alpha", OfferRef(provider="h1", native_id="alpha"))


def test_a_model_that_was_taken_off_sale_is_not_said_to_have_no_price() -> None:
    catalogue = Catalogue([replace(ALPHA, offers=())], providers=["h1"])
    with pytest.raises(NotFound, match="is offered by no enabled provider"):
        catalogue.resolve("acme/alpha", CHAT)
