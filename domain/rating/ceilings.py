"""The most that a request can cost, by which money is held before it is run."""

from collections.abc import Iterable

from domain.catalog.events import PricedOffer, PriceTier
from domain.catalog.searching import most_searches


class Ceiling:
    """The most that tokens can cost at an offer; made once for it, and asked by every request.

    Every token is taken to be of the dearest dimension, and as many searches to be made as are
    charged at most. Input and output may be dearest in different tiers: each counts at its dearest.
    """

    __slots__ = ("_fees", "_tiers")

    def __init__(self, offer: PricedOffer) -> None:
        self._fees = offer.request_picodollars + _dearest_searches(offer)
        self._tiers = [(-1, _dearest_input(offer), _dearest_output(offer))]
        self._tiers += [
            (tier.above_input_tokens, _dearest_input(tier), _dearest_output(tier))
            for tier in offer.tiers
        ]

    def of(self, input_tokens: int, max_output_tokens: int) -> int:
        """In picodollars."""
        dearest_in = dearest_out = 0
        for above, price_in, price_out in self._tiers:
            if input_tokens > above:
                dearest_in = max(dearest_in, price_in)
                dearest_out = max(dearest_out, price_out)
        return input_tokens * dearest_in + max_output_tokens * dearest_out + self._fees


def worst_case(input_tokens: int, max_output_tokens: int, ceilings: Iterable[Ceiling]) -> int:
    """The most that a request can cost, in picodollars: at the dearest offer that may serve it.

    Raises `ValueError` when there is no offer.
    """
    return max([ceiling.of(input_tokens, max_output_tokens) for ceiling in ceilings])


def _dearest_searches(offer: PricedOffer) -> int:
    price = offer.search_picodollars
    return price * most_searches(offer.native_id) if price else 0


def _dearest_input(prices: PricedOffer | PriceTier) -> int:
    return max(
        prices.input_picodollars,
        prices.cache_read_picodollars or 0,
        prices.cache_write_picodollars or 0,
        prices.cache_write_1h_picodollars or 0,
        prices.input_audio_picodollars or 0,
    )


def _dearest_output(prices: PricedOffer | PriceTier) -> int:
    return max(
        prices.output_picodollars,
        prices.reasoning_picodollars or 0,
        prices.output_audio_picodollars or 0,
    )
