"""The offers of a model as candidates, between which routing chooses for each request."""

from collections.abc import Iterable

from domain.catalog.events import PricedOffer
from domain.catalog.offers import Offer
from domain.routing.candidates import Candidate


def candidates_of(
    sold: Iterable[PricedOffer],
    offers: Iterable[Offer],
    capabilities: tuple[str, ...],
    context_length: int | None,
) -> tuple[Candidate, ...]:
    """The candidates of what is sold of a model's `offers`, in the order of `sold`.

    What an offer does not tell of itself is as the model's. Where its provider handles requests,
    and how, is not said here: that is no matter of the catalogue.
    """
    told = {(offer.provider, offer.native_id): offer for offer in offers}
    return tuple(
        Candidate(
            provider=one.provider,
            native_id=one.native_id,
            input_picodollars=one.input_picodollars,
            output_picodollars=one.output_picodollars,
            capabilities=frozenset(
                capabilities if offer.capabilities is None else offer.capabilities
            ),
            context_length=offer.context_length or context_length,
        )
        for one in sold
        if (offer := told[one.provider, one.native_id])
    )
