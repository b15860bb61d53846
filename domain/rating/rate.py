"""Rating: what usage costs at a price, and what a request can cost at most."""

from collections.abc import Iterable
from dataclasses import dataclass

from domain.billing.events import Dimension, RatingLine
from domain.catalog.events import PricedOffer
from domain.inference.events import Usage


@dataclass(frozen=True, slots=True)
class Rating:
    """The lines of a charge and their sum in picodollars."""

    lines: tuple[RatingLine, ...]
    picodollars: int


def rate(usage: Usage, priced: PricedOffer, ceiling_picodollars: int) -> Rating:
    """What `usage` costs at `priced`, never more than the ceiling, which is the job's hold.

    What passes the ceiling is given back by a negative line, so that the lines still show the
    whole usage and add up to the charge.
    """
    lines = (
        _line("input", usage.input_tokens, priced.input_picodollars),
        _line("output", usage.output_tokens, priced.output_picodollars),
    )
    total = sum(line.picodollars for line in lines)
    if total <= ceiling_picodollars:
        return Rating(lines, total)
    back = _line("ceiling", 1, ceiling_picodollars - total)
    return Rating((*lines, back), ceiling_picodollars)


def worst_case(input_tokens: int, max_output_tokens: int, offers: Iterable[PricedOffer]) -> int:
    """The most that a request can cost, in picodollars: at the dearest offer that may serve it.

    Raises `ValueError` when there is no offer.
    """
    return max(
        input_tokens * offer.input_picodollars + max_output_tokens * offer.output_picodollars
        for offer in offers
    )


def _line(dimension: Dimension, quantity: int, unit: int) -> RatingLine:
    return RatingLine(
        dimension=dimension,
        quantity=quantity,
        picodollars_per_unit=unit,
        picodollars=quantity * unit,
    )
