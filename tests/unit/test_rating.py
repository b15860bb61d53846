"""What usage costs, the ceiling, the worst case and the token estimates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalog.events import PricedOffer
from domain.inference.events import Usage
from domain.rating.estimate import INLINE_MEDIA_TOKENS, estimated_usage, text_size, tokens_to_hold
from domain.rating.rate import rate, worst_case

tokens = st.integers(0, 10**7)
prices = st.integers(0, 10**9)


def priced(input_price: int, output_price: int) -> PricedOffer:
    return PricedOffer(
        model="acme/alpha",
        provider="h1",
        native_id="alpha",
        input_picodollars=input_price,
        output_picodollars=output_price,
    )


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
    worst = worst_case(asked, answered, offers)
    usage = Usage(input_tokens=asked, output_tokens=answered)
    assert max(rate(usage, offer, worst).picodollars for offer in offers) == worst
    assert all(len(rate(usage, offer, worst).lines) == 2 for offer in offers)


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
