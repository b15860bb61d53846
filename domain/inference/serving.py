"""Which model an offer of a job serves: its own, or one of those named to answer in its place."""

from collections.abc import Iterator, Mapping

from domain.inference.events import Fallback, JobAccepted, OfferRef


def offers_of(accepted: JobAccepted) -> tuple[OfferRef, ...]:
    """Every offer that may serve the job, in the order to be asked."""
    if not accepted.fallbacks:
        return accepted.offers
    return tuple(offer for model in models_of(accepted) for offer in model.offers)


def models_of(accepted: JobAccepted) -> Iterator[Fallback]:
    """The job's model and then those that may answer in its place."""
    yield Fallback(
        model=accepted.model, price_version=accepted.price_version, offers=accepted.offers
    )
    yield from accepted.fallbacks


def served(accepted: JobAccepted, offer: OfferRef) -> Fallback:
    """The model that `offer` serves, under whichever key.

    Raises `LookupError` when it is none of the job's.
    """
    for model in models_of(accepted):
        for one in model.offers:
            if one.provider == offer.provider and one.native_id == offer.native_id:
                return model
    raise LookupError(f"{offer} is no offer of {accepted.job_id}")


def models_by_offer(accepted: JobAccepted) -> Mapping[OfferRef, str]:
    """The models of the offers that serve another than the job's own."""
    if not accepted.fallbacks:
        return {}
    models = {offer: served(accepted, offer).model for offer in offers_of(accepted)}
    return {offer: model for offer, model in models.items() if model != accepted.model}
