"""Rating: what usage costs at a price."""

from domain.billing.events import Dimension, RatingLine
from domain.catalog.events import PricedOffer, PriceTier
from domain.catalog.searching import most_searches
from domain.inference.events import Usage
from domain.value import value

Prices = PricedOffer | PriceTier
# Tokens of a dimension and their price; a price of None is that of the whole they belong to.
Part = tuple[Dimension, int, int | None]
Whole = tuple[Dimension, int, int]


@value()
class Rating:
    """The lines of a charge and their sum in picodollars."""

    lines: tuple[RatingLine, ...]
    picodollars: int


def rate(usage: Usage, priced: PricedOffer, ceiling_picodollars: int) -> Rating:
    """What `usage` costs at `priced`, never more than the ceiling, which is the job's hold.

    What is priced apart has a line of its own and leaves those of the input and the output. What
    passes the ceiling is given back by a negative line, so that the lines still show the whole
    usage and add up to the charge.
    """
    lines = tuple(_lines(usage, priced))
    total = sum([line.picodollars for line in lines])
    if total <= ceiling_picodollars:
        return Rating(lines, total)
    back = _line("ceiling", 1, ceiling_picodollars - total)
    return Rating((*lines, back), ceiling_picodollars)


def own_key_rating(usage: Usage) -> Rating:
    """What usage costs that the provider bills the customer for: nothing."""
    return Rating((_line("own_key", usage.input_tokens + usage.output_tokens, 0),), 0)


def _lines(usage: Usage, priced: PricedOffer) -> list[RatingLine]:
    prices = _prices_for(priced, usage.input_tokens)
    lines: list[RatingLine] = []
    asked: Whole = ("input", usage.input_tokens, prices.input_picodollars)
    _split(lines, asked, _input_parts(usage, prices))
    answered: Whole = ("output", usage.output_tokens, prices.output_picodollars)
    _split(lines, answered, _output_parts(usage, prices))
    if priced.request_picodollars:
        lines.append(_line("request", 1, priced.request_picodollars))
    if priced.search_picodollars and (made := _searches(usage, priced)):
        lines.append(_line("search", made, priced.search_picodollars))
    return lines


def _searches(usage: Usage, priced: PricedOffer) -> int:
    """How many are charged: as reported, else one; never more than money was set aside for."""
    made = 1 if usage.searches is None else usage.searches
    return min(made, most_searches(priced.native_id))


def _prices_for(priced: PricedOffer, input_tokens: int) -> Prices:
    """Those of the highest tier that the input passes; it reprices the whole request."""
    for tier in reversed(priced.tiers):
        if input_tokens > tier.above_input_tokens:
            return tier
    return priced


def _input_parts(usage: Usage, prices: Prices) -> tuple[Part, ...]:
    return (
        ("cache_read", usage.cached_input_tokens, prices.cache_read_picodollars),
        ("cache_write", usage.cache_write_tokens, prices.cache_write_picodollars),
        ("cache_write_1h", usage.cache_write_1h_tokens, _for_an_hour(prices)),
        ("input_audio", usage.input_audio_tokens, prices.input_audio_picodollars),
    )


def _output_parts(usage: Usage, prices: Prices) -> tuple[Part, ...]:
    return (
        ("reasoning", usage.reasoning_tokens, prices.reasoning_picodollars),
        ("output_audio", usage.output_audio_tokens, prices.output_audio_picodollars),
    )


def _for_an_hour(prices: Prices) -> int | None:
    """Keeping something for an hour costs no less than keeping it for a while."""
    hour = prices.cache_write_1h_picodollars
    return prices.cache_write_picodollars if hour is None else hour


def _split(lines: list[RatingLine], whole: Whole, parts: tuple[Part, ...]) -> None:
    """Adds the whole without what is priced apart, then that; parts never exceed the whole."""
    dimension, left, price = whole
    apart = []
    for name, quantity, own_price in parts:
        if quantity and own_price is not None and (taken := min(quantity, left)):
            apart.append(_line(name, taken, own_price))
            left -= taken
    lines.append(_line(dimension, left, price))
    lines += apart


def _line(dimension: Dimension, quantity: int, unit: int) -> RatingLine:
    return RatingLine(
        dimension=dimension,
        quantity=quantity,
        picodollars_per_unit=unit,
        picodollars=quantity * unit,
    )
