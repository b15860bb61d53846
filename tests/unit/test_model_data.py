"""The model data that is shipped: how much it is, what it costs, and where it is from."""

from collections.abc import Iterator, Mapping

import pytest

from domain.catalog.catalogue import Catalogue, Model
from domain.catalog.offers import Offer
from domain.catalog.searching import searches
from infra.model_data.loading import known_aliases, known_makers, known_models
from infra.model_data.merging import MAX_INPUT, MAX_OUTPUT, MIN_PRICE
from infra.model_data.packages import PACKAGES

INPUTS = ("input", "cache_read", "cache_write", "cache_write_1h", "input_audio")
OUTPUTS = ("output", "reasoning", "output_audio")


def offers() -> Iterator[tuple[Model, Offer]]:
    return ((model, offer) for model in known_models() for offer in model.offers)


@pytest.fixture(scope="module")
def by_name() -> Mapping[str, Model]:
    return {model.id: model for model in known_models()}


def offer_of(model: Model, provider: str, native_id: str) -> Offer:
    return next(o for o in model.offers if (o.provider, o.native_id) == (provider, native_id))


def test_more_than_ten_thousand_offers_have_a_price() -> None:
    priced = {
        (offer.provider, offer.native_id.lower())
        for _, offer in offers()
        if offer.input_picodollars or offer.output_picodollars or offer.per_unit
    }
    assert len(priced) >= 10_000


def test_no_price_is_out_of_bounds() -> None:
    for _, offer in offers():
        for prices in (offer, *offer.tiers):
            for name in (*INPUTS, *OUTPUTS):
                price = getattr(prices, f"{name}_picodollars")
                highest = MAX_INPUT if name in INPUTS else MAX_OUTPUT
                assert not price or MIN_PRICE <= price <= highest, offer


def test_nothing_but_the_input_and_the_output_is_told_to_cost_nothing() -> None:
    for _, offer in offers():
        for prices in (offer, *offer.tiers):
            apart = (*INPUTS[1:], *OUTPUTS[1:])
            assert 0 not in [getattr(prices, f"{name}_picodollars") for name in apart], offer


def test_what_thinking_costs_rises_with_the_output() -> None:
    for _, offer in offers():
        if offer.reasoning_picodollars is None:
            thinking = [tier.reasoning_picodollars for tier in offer.tiers]
            raised = [tier.output_picodollars for tier in offer.tiers]
            for price, output in zip(thinking, raised, strict=True):
                assert price is None or price >= output, offer


@pytest.mark.parametrize(
    ("provider", "native_id"),
    [
        ("perplexity", "sonar"),
        ("perplexity", "sonar-pro"),
        ("openai", "gpt-4o-search-preview"),
        ("openai", "gpt-5-search-api"),
    ],
)
def test_a_search_at_every_request_is_in_the_price(provider: str, native_id: str) -> None:
    (found,) = (o for _, o in offers() if (o.provider, o.native_id) == (provider, native_id))
    assert found.request_picodollars >= 10_000_000_000


@pytest.mark.parametrize(
    ("provider", "native_id", "picodollars"),
    [
        ("perplexity", "sonar-deep-research", 5_000_000_000),
        ("perplexity", "perplexity/sonar", 2_500_000_000),
        ("google-gemini", "deep-research-preview-04-2026", 35_000_000_000),
    ],
)
def test_what_searches_many_times_is_priced_by_the_search(
    provider: str, native_id: str, picodollars: int
) -> None:
    (found,) = (o for _, o in offers() if (o.provider, o.native_id) == (provider, native_id))
    assert (found.search_picodollars, found.request_picodollars) == (picodollars, 0)


def test_nothing_is_sold_whose_searches_have_no_price() -> None:
    searching = [(model, offer) for model, offer in offers() if searches(offer.native_id)]
    unpriced = [(model, offer) for model, offer in searching if not _pays_for_searches(offer)]
    assert (len(searching) >= 80, len(unpriced) >= 60) == (True, True)
    assert not any(model.price(offer) for model, offer in unpriced)


def _pays_for_searches(offer: Offer) -> bool:
    return bool(offer.search_picodollars or offer.request_picodollars)


def test_only_what_says_free_costs_nothing() -> None:
    for model, offer in offers():
        costs = offer.input_picodollars or offer.output_picodollars or offer.per_unit
        assert costs or (model.free and model.id.endswith(":free")), offer


def test_every_offer_says_where_its_price_is_from_and_of_which_day() -> None:
    days = {package.name: package.as_of for package in PACKAGES}
    assert all(days[offer.source] == offer.as_of for _, offer in offers())


def test_every_known_alias_leads_to_a_model(by_name: Mapping[str, Model]) -> None:
    assert not {name for name in known_aliases().values() if name not in by_name}


def test_the_shipped_names_contradict_nothing() -> None:
    sold = Catalogue(known_models(), known_aliases(), providers=["openai"], makers=known_makers())
    assert sold.resolve("gpt-4o", "/v1/chat/completions").model.id == "openai/gpt-4o"


@pytest.mark.parametrize(
    ("model", "provider", "native_id", "usd_per_million"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o", (2.5, 10)),
        ("openai/gpt-4o-mini", "openai", "gpt-4o-mini", (0.15, 0.6)),
        ("openai/text-embedding-3-small", "openai", "text-embedding-3-small", (0.02, 0)),
        ("anthropic/claude-sonnet-4.5", "anthropic", "claude-sonnet-4-5", (3, 15)),
        ("google/gemini-2.5-pro", "google-gemini", "gemini-2.5-pro", (1.25, 10)),
        ("meta-llama/llama-3.3-70b-instruct", "groq", "llama-3.3-70b-versatile", (0.59, 0.79)),
    ],
)
def test_well_known_prices_are_what_everybody_knows(
    by_name: Mapping[str, Model],
    model: str,
    provider: str,
    native_id: str,
    usd_per_million: tuple[float, float],
) -> None:
    offer = offer_of(by_name[model], provider, native_id)
    told = (offer.input_picodollars, offer.output_picodollars or 0)
    assert told == tuple(figure * 10**6 for figure in usd_per_million)


def test_what_is_priced_apart_is_told(by_name: Mapping[str, Model]) -> None:
    claude = offer_of(by_name["anthropic/claude-sonnet-4.5"], "anthropic", "claude-sonnet-4-5")
    assert claude.cache_read_picodollars == 300_000
    assert claude.cache_write_picodollars == 3_750_000
    assert claude.cache_write_1h_picodollars == 6_000_000
    gemini = offer_of(by_name["google/gemini-2.5-pro"], "google-gemini", "gemini-2.5-pro")
    (tier,) = gemini.tiers
    assert (tier.above_input_tokens, tier.input_picodollars) == (200_000, 2_500_000)


def test_a_model_has_its_limits_and_abilities(by_name: Mapping[str, Model]) -> None:
    model = by_name["openai/gpt-4o"]
    assert (model.kind, model.context_length, model.max_output_tokens) == ("chat", 128_000, 16_384)
    assert {"tools", "vision", "json_schema"} <= set(model.capabilities)
