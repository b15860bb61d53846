"""What usage costs, the ceiling, the worst case and the token estimates."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalog.events import PricedOffer, PriceTier
from domain.catalog.searching import MOST, MOST_OF_RESEARCH
from domain.inference.events import Usage
from domain.rating.ceilings import Ceiling, worst_case
from domain.rating.estimate import INLINE_MEDIA_TOKENS, estimated_usage, text_size, tokens_to_hold
from domain.rating.rate import own_key_rating, rate

tokens = st.integers(0, 10**7)
prices = st.integers(0, 10**9)


apart = st.none() | prices
every_price = {
    "input_picodollars": prices,
    "output_picodollars": prices,
    "cache_read_picodollars": apart,
    "cache_write_picodollars": apart,
    "cache_write_1h_picodollars": apart,
    "input_audio_picodollars": apart,
    "reasoning_picodollars": apart,
    "output_audio_picodollars": apart,
}
tiers = st.builds(PriceTier, above_input_tokens=tokens, **every_price)
dear_in_many_ways = st.builds(
    PricedOffer,
    model=st.just("acme/alpha"),
    provider=st.just("h1"),
    native_id=st.just("alpha"),
    request_picodollars=prices,
    search_picodollars=prices,
    tiers=st.lists(tiers, max_size=3).map(
        lambda found: tuple(sorted(found, key=lambda tier: tier.above_input_tokens))
    ),
    **every_price,
)
usages = st.builds(
    Usage,
    input_tokens=tokens,
    output_tokens=tokens,
    cached_input_tokens=tokens,
    cache_write_tokens=tokens,
    cache_write_1h_tokens=tokens,
    input_audio_tokens=tokens,
    reasoning_tokens=tokens,
    output_audio_tokens=tokens,
    searches=st.none() | st.integers(0, 10**9),
)


def priced(input_price: int, output_price: int, **others: Any) -> PricedOffer:
    return PricedOffer(
        model="acme/alpha",
        provider="h1",
        native_id="alpha",
        input_picodollars=input_price,
        output_picodollars=output_price,
        **others,
    )


def told(usage: Usage, offer: PricedOffer) -> list[tuple[str, int, int]]:
    lines = rate(usage, offer, 10**30).lines
    return [(line.dimension, line.quantity, line.picodollars_per_unit) for line in lines]


def test_a_charge_is_tokens_times_price() -> None:
    rating = rate(Usage(input_tokens=11, output_tokens=7), priced(1_000_000, 2_000_000), 10**12)
    assert rating.picodollars == 25_000_000


def test_what_passes_the_ceiling_is_given_back_by_a_line() -> None:
    rating = rate(Usage(input_tokens=10, output_tokens=10), priced(3, 3), 50)
    assert [(line.dimension, line.picodollars) for line in rating.lines] == [
        ("input", 30),
        ("output", 30),
        ("ceiling", -10),
    ]


def test_a_charge_at_the_ceiling_needs_no_ceiling_line() -> None:
    rating = rate(Usage(input_tokens=10, output_tokens=10), priced(3, 3), 60)
    assert [line.dimension for line in rating.lines] == ["input", "output"]


@given(tokens, tokens, prices, prices, st.integers(0, 2**62))
def test_lines_add_up_to_the_charge_and_never_pass_the_ceiling(
    asked: int, answered: int, input_price: int, output_price: int, ceiling: int
) -> None:
    usage = Usage(input_tokens=asked, output_tokens=answered)
    rating = rate(usage, priced(input_price, output_price), ceiling)
    assert sum(line.picodollars for line in rating.lines) == rating.picodollars <= ceiling
    assert all(
        line.picodollars == line.quantity * line.picodollars_per_unit for line in rating.lines
    )


@given(tokens, tokens, st.lists(st.tuples(prices, prices), min_size=1, max_size=5))
def test_the_worst_case_covers_every_offer(
    asked: int, answered: int, figures: list[tuple[int, int]]
) -> None:
    offers = [priced(*figure) for figure in figures]
    worst = worst_case(asked, answered, map(Ceiling, offers))
    usage = Usage(input_tokens=asked, output_tokens=answered)
    assert max(rate(usage, offer, worst).picodollars for offer in offers) == worst
    assert all(len(rate(usage, offer, worst).lines) == 2 for offer in offers)


def test_what_is_priced_apart_leaves_the_input_and_the_output() -> None:
    offer = priced(
        10,
        50,
        cache_read_picodollars=1,
        cache_write_picodollars=12,
        cache_write_1h_picodollars=20,
        input_audio_picodollars=40,
        reasoning_picodollars=60,
        output_audio_picodollars=80,
    )
    usage = Usage(
        input_tokens=100,
        output_tokens=30,
        cached_input_tokens=20,
        cache_write_tokens=10,
        cache_write_1h_tokens=5,
        input_audio_tokens=15,
        reasoning_tokens=12,
        output_audio_tokens=8,
    )
    assert told(usage, offer) == [
        ("input", 50, 10),
        ("cache_read", 20, 1),
        ("cache_write", 10, 12),
        ("cache_write_1h", 5, 20),
        ("input_audio", 15, 40),
        ("output", 10, 50),
        ("reasoning", 12, 60),
        ("output_audio", 8, 80),
    ]


def test_a_cache_without_a_price_costs_what_the_input_does() -> None:
    usage = Usage(input_tokens=100, output_tokens=0, cached_input_tokens=90)
    assert told(usage, priced(10, 50)) == [("input", 100, 10), ("output", 0, 50)]


def test_writing_for_an_hour_without_a_price_costs_what_writing_does() -> None:
    usage = Usage(input_tokens=100, output_tokens=0, cache_write_1h_tokens=90)
    lines = told(usage, priced(10, 50, cache_write_picodollars=12))
    assert ("cache_write_1h", 90, 12) in lines


def test_a_read_from_the_cache_may_be_free() -> None:
    usage = Usage(input_tokens=100, output_tokens=0, cached_input_tokens=90)
    assert ("cache_read", 90, 0) in told(usage, priced(10, 50, cache_read_picodollars=0))


def test_long_input_reprices_the_whole_request() -> None:
    tier = PriceTier(above_input_tokens=100, input_picodollars=20, output_picodollars=75)
    offer = priced(10, 50, tiers=(tier,))
    at, beyond = (Usage(input_tokens=size, output_tokens=1) for size in (100, 101))
    assert told(at, offer) == [("input", 100, 10), ("output", 1, 50)]
    assert told(beyond, offer) == [("input", 101, 20), ("output", 1, 75)]


def test_what_the_provider_bills_the_customer_for_is_a_line_at_no_price() -> None:
    rating = own_key_rating(Usage(input_tokens=10, output_tokens=5))
    assert [(line.dimension, line.quantity, line.picodollars) for line in rating.lines] == [
        ("own_key", 15, 0)
    ]
    assert rating.picodollars == 0


def test_a_fee_for_the_request_is_a_line() -> None:
    lines = told(Usage(input_tokens=0, output_tokens=0), priced(1, 1, request_picodollars=7))
    assert lines[-1] == ("request", 1, 7)


@pytest.mark.parametrize(
    ("reported", "native_id", "charged"),
    [
        (None, "sonar", [("search", 1, 7)]),
        (0, "sonar", []),
        (4, "sonar", [("search", 4, 7)]),
        (400, "sonar", [("search", MOST, 7)]),
        (40, "sonar-deep-research", [("search", 40, 7)]),
        (400, "sonar-deep-research", [("search", MOST_OF_RESEARCH, 7)]),
    ],
)
def test_searches_are_charged_as_reported_else_as_one(
    reported: int | None, native_id: str, charged: list[tuple[str, int, int]]
) -> None:
    usage = Usage(input_tokens=5, output_tokens=5, searches=reported)
    offer = replace(priced(1, 1, search_picodollars=7), native_id=native_id)
    assert told(usage, offer)[2:] == charged


def test_money_is_held_for_as_many_searches_as_are_charged_at_most() -> None:
    offer = priced(1, 1, search_picodollars=7, request_picodollars=3)
    assert Ceiling(offer).of(0, 0) == 3 + MOST * 7
    researching = replace(offer, native_id="deep-research")
    assert Ceiling(researching).of(0, 0) == 3 + MOST_OF_RESEARCH * 7


@given(usages, dear_in_many_ways)
def test_every_token_is_rated_once(usage: Usage, offer: PricedOffer) -> None:
    inputs = {"input", "cache_read", "cache_write", "cache_write_1h", "input_audio"}
    lines = [line for line in told(usage, offer) if line[0] not in ("request", "search")]
    assert sum(size for name, size, _ in lines if name in inputs) == usage.input_tokens
    assert sum(size for name, size, _ in lines if name not in inputs) == usage.output_tokens
    assert all(size >= 0 for _, size, _ in lines)


@given(usages, dear_in_many_ways, tokens, tokens)
def test_no_split_of_the_tokens_costs_more_than_the_worst_case(
    usage: Usage, offer: PricedOffer, more_in: int, more_out: int
) -> None:
    worst = Ceiling(offer).of(usage.input_tokens + more_in, usage.output_tokens + more_out)
    assert rate(usage, offer, 10**30).picodollars <= worst


def test_a_worst_case_without_offers_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        worst_case(1, 1, ())


@given(st.binary(max_size=2000))
def test_the_hold_estimate_lies_above_the_settling_one(content: bytes) -> None:
    assert tokens_to_hold(len(content)) > -(-len(content) // 4)


def test_a_chat_estimate_counts_the_texts_of_both_sides() -> None:
    request = {"model": "m", "messages": [{"role": "user", "content": "12345678"}]}
    reply = {"choices": [{"message": {"role": "assistant", "content": "Ä" * 6}}]}
    assert estimated_usage(request, text_size(reply["choices"])) == Usage(
        input_tokens=2, output_tokens=3, source="estimate"
    )


def test_tool_calls_count_as_output() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}  "}}
    reply = {"choices": [{"message": {"role": "assistant", "tool_calls": [call]}}]}
    estimate = estimated_usage({"messages": []}, text_size(reply["choices"]))
    assert estimate.output_tokens == 2


def test_an_embeddings_estimate_has_no_output() -> None:
    estimate = estimated_usage({"input": ["abcd", "efgh"]}, 0)
    assert (estimate.input_tokens, estimate.output_tokens) == (2, 0)


def test_an_inline_image_counts_as_an_image_and_not_as_text() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10**6}}
    assert text_size([image]) == INLINE_MEDIA_TOKENS * 4
