"""Providers' lists and the log of what was made of them, without a store."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from domain.catalog.catalogue import Catalogue, Model
from domain.catalog.events import ListedPrices
from domain.catalog.feeds import Feeds, stream_of
from domain.catalog.listing import Known, KnownOffer, ListedOffer, ModelListing
from domain.catalog.offers import Offer
from domain.catalog.overlay import overlaid
from domain.catalog.sync import Synced, decide_sync
from domain.event import Event, Recorded

PROVIDER = "h1"
DAY_MS = 86_400_000


def prices(input_picodollars: int, output_picodollars: int | None = None) -> ListedPrices:
    """Prices; an output costs four times its input unless told."""
    output = 4 * input_picodollars if output_picodollars is None else output_picodollars
    return ListedPrices(input_picodollars=input_picodollars, output_picodollars=output)


def entry(native_id: str, input_picodollars: int | None, **told: object) -> ListedOffer:
    """An entry of a list."""
    listed = None if input_picodollars is None else prices(input_picodollars)
    return ListedOffer(native_id=native_id, prices=listed, **told)  # type: ignore[arg-type]


def model(name: str, native_id: str, input_picodollars: int | None) -> Model:
    """A shipped model with one offer."""
    offer = Offer(
        provider=PROVIDER,
        native_id=native_id,
        input_picodollars=input_picodollars,
        output_picodollars=None if input_picodollars is None else 4 * input_picodollars,
        source="litellm",
    )
    return Model(id=name, offers=(offer,), context_length=1000, max_output_tokens=100)


ANCHORS = tuple(model(f"acme/m{n}", f"m{n}", n * 1_000_000) for n in range(1, 6))


@dataclass
class Log:
    """What was recorded of one provider, and what it comes to."""

    models: tuple[Model, ...] = ANCHORS
    feeds: Feeds = field(default_factory=Feeds)
    recorded: list[Recorded[Event]] = field(default_factory=list)

    def sync(self, offers: Iterable[ListedOffer], **how: bool) -> Synced:
        """Takes a list in."""
        synced = decide_sync(PROVIDER, ModelListing(tuple(offers), True), self.known(), **how)
        self.record(*synced.events)
        return synced

    def record(self, *events: Event) -> None:
        for event in events:
            position = len(self.recorded) + 1
            stream = stream_of(PROVIDER)
            envelope = ("evt_1", DAY_MS, "acct_house", "system", "n1", "c1", None, None)
            one = Recorded(position, stream, position, *envelope, event)  # type: ignore[arg-type]
            self.recorded.append(one)
            self.feeds.apply(one)

    def known(self) -> Known:
        offers = {
            offer.native_id: KnownOffer(
                one.id, one.kind, offer, one.context_length, one.max_output_tokens
            )
            for one in self.models
            for offer in one.offers
        }
        return Known(
            offers,
            self.feeds[PROVIDER].copied(),
            lambda native_id: (f"acme/{native_id}", None),
            lambda _: None,
        )

    def sold(self) -> Mapping[str, int]:
        """What an input token costs, by the id of each model that can be called."""
        return sold(self.models, self.feeds)


def sold(models: tuple[Model, ...], feeds: Feeds) -> Mapping[str, int]:
    """What an input token costs, by the id of each model that can be called."""
    catalogue = Catalogue(overlaid(models, feeds.copied(), {}), providers=[PROVIDER])
    return {one.model.id: one.offers[0].input_picodollars for one in catalogue.listed()}


def anchors() -> list[ListedOffer]:
    """The list that says what is known."""
    return [entry(f"m{n}", n * 1_000_000) for n in range(1, 6)]
