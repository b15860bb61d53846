"""One page of a list: its entries, and where the next page is."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

from adapters.providers.failures import UNREADABLE
from adapters.providers.model_lists.fields import at, text
from adapters.providers.model_lists.shapes import ENTRIES, NO_PRICES, PricePlaces, Shape
from domain.catalog.listing import ListedOffer, UnreadableList

# Numbers stay as they are written: a price is no binary fraction.
_decode: Final = msgspec.json.Decoder(float_hook=Decimal).decode
MAX_ENTRIES: Final = 50_000
# Shapes whose lists tell prices in a way of their own.
_PRICED: Final = frozenset({"huggingface", "near", "cloudflare"})


@dataclass(frozen=True, slots=True)
class ListForm:
    """How a provider's list is written; `items` is the field of the entries, "" for an array."""

    shape: Shape = "openai"
    items: str = "data"
    places: PricePlaces = NO_PRICES

    @property
    def tells_prices(self) -> bool:
        """Whether prices are to be expected in it."""
        return bool(self.places.paths) or self.shape in _PRICED


@dataclass(frozen=True, slots=True)
class ListPage:
    """The offers of one page; `after` are the parameters of the next, if there is one."""

    offers: tuple[ListedOffer, ...]
    after: Mapping[str, str] | None = None


def read_page(content: bytes, form: ListForm) -> ListPage:
    """Reads a page. Raises `UnreadableList` when it is none, or most of it makes no sense."""
    try:
        body = _decode(content)
    except UNREADABLE as error:
        raise UnreadableList("no JSON") from error
    entries = at(body, form.items) if form.items and isinstance(body, dict) else body
    if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
        raise UnreadableList("no list of models in it")
    read = [ENTRIES[form.shape](entry, form.places) for entry in entries]
    offers = tuple(offer for offer in read if offer is not None)
    if 2 * len(offers) < len(entries):
        raise UnreadableList("most entries have no name")
    return ListPage(offers, _after(body, form.shape))


def _after(body: Any, shape: Shape) -> Mapping[str, str] | None:
    if shape == "anthropic" and at(body, "has_more") is True:
        last = text(body, "last_id")
        return None if last is None else {"after_id": last}
    if shape in ("gemini", "cohere"):
        name, parameter = _TOKENS[shape]
        token = text(body, name)
        return None if token is None else {parameter: token}
    return None


_TOKENS: Mapping[str, tuple[str, str]] = {
    "gemini": ("nextPageToken", "pageToken"),
    "cohere": ("next_page_token", "page_token"),
}
