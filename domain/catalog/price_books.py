"""Price books: the prices of one model that jobs are pinned to, each named by its content."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from hashlib import sha256

from domain.catalog.events import PriceBookPublished, PricedOffer
from domain.ids import Kind
from domain.inference.events import OfferRef


def price_book(offers: Iterable[PricedOffer]) -> PriceBookPublished:
    """The book of these prices; the same prices have the same version, in whatever order."""
    ordered = tuple(sorted(offers, key=_key))
    return PriceBookPublished(price_version=price_version(ordered), offers=ordered)


def price_version(offers: Iterable[PricedOffer]) -> str:
    """`pb_` and the first 32 hexadecimal digits of the SHA-256 of the sorted prices.

    A price that is not told apart does not count, so that new dimensions keep old versions.
    """
    told = [
        {name: value for name, value in asdict(offer).items() if value not in (None, 0, ())}
        for offer in sorted(offers, key=_key)
    ]
    content = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return f"{Kind.PRICE_BOOK.value}_{sha256(content.encode()).hexdigest()[:32]}"


class PriceBooks:
    """The directory of every price book published so far; a fold of the catalogue's events."""

    def __init__(self) -> None:
        self._books: dict[str, dict[tuple[str, str, str], PricedOffer]] = {}

    def publish(self, book: PriceBookPublished) -> None:
        """Takes a book in; a second time changes nothing."""
        self._books[book.price_version] = {_key(offer): offer for offer in book.offers}

    def __contains__(self, version: str) -> bool:
        return version in self._books

    def price(self, version: str, model: str, offer: OfferRef) -> PricedOffer:
        """What `offer` of `model` costs under a version. Raises `LookupError` when unknown."""
        return self._books[version][model, offer.provider, offer.native_id]


def _key(offer: PricedOffer) -> tuple[str, str, str]:
    return offer.model, offer.provider, offer.native_id
