"""An offer: a model at a provider, at prices for each dimension, with where they are from."""

from dataclasses import dataclass
from typing import Literal

from domain.catalog.events import PricedOffer, PriceTier
from domain.catalog.searching import searches

# OpenRouter's ids of offers at the price of a batch.
FOR_BATCHES = ":batch"
CONFIGURED = "configuration"
# Sold for batches alone it costs more asked at once; pictures in an answer are not counted apart;
# what searches the web at every request is billed for it.
Unsold = Literal["batches_alone", "dearer_images", "unpriced_searches"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPrice:
    """The price of what is not sold by the token: an image, a second, a page."""

    unit: str
    picodollars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherPrice:
    """What another source says where the sources disagree."""

    source: str
    input_picodollars: int | None = None
    output_picodollars: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model at a provider under the provider's own id. Prices are in picodollars per token.

    An unknown price of the input, the output or a search is None; another that is None is that of
    the input or output. Lengths and capabilities that are None are the model's. `as_of` is the day
    of the source, `disputed` what others say that are more than a tenth away.
    """

    provider: str
    native_id: str
    input_picodollars: int | None = None
    output_picodollars: int | None = None
    cache_read_picodollars: int | None = None
    cache_write_picodollars: int | None = None
    cache_write_1h_picodollars: int | None = None
    input_audio_picodollars: int | None = None
    reasoning_picodollars: int | None = None
    output_audio_picodollars: int | None = None
    request_picodollars: int = 0
    tiers: tuple[PriceTier, ...] = ()
    input_image_picodollars: int | None = None
    output_image_picodollars: int | None = None
    batch_input_picodollars: int | None = None
    batch_output_picodollars: int | None = None
    per_unit: tuple[UnitPrice, ...] = ()
    context_length: int | None = None
    max_output_tokens: int | None = None
    capabilities: tuple[str, ...] | None = None
    deprecated: bool = False
    source: str = CONFIGURED
    as_of: str | None = None
    disputed: tuple[OtherPrice, ...] = ()
    search_picodollars: int | None = None

    @property
    def unsold_because(self) -> Unsold | None:
        """Why its prices are not all of what it costs; None where they are."""
        if self.native_id.endswith(FOR_BATCHES):
            return "batches_alone"
        if (self.output_image_picodollars or 0) > (self.output_picodollars or 0):
            return "dearer_images"
        if self._is_priced_for_searches or not searches(self.native_id):
            return None
        return "unpriced_searches"

    @property
    def _is_priced_for_searches(self) -> bool:
        """Whether a search costs something by any source, or nothing by the operator's word."""
        is_set = self.source == CONFIGURED and self.search_picodollars is not None
        return is_set or bool(self.request_picodollars or self.search_picodollars)

    def priced(self, model: str) -> PricedOffer:
        """What a job is rated by; an unknown price counts as zero, so ask first whether it is."""
        return PricedOffer(
            model=model,
            provider=self.provider,
            native_id=self.native_id,
            input_picodollars=self.input_picodollars or 0,
            output_picodollars=self.output_picodollars or 0,
            cache_read_picodollars=self.cache_read_picodollars,
            cache_write_picodollars=self.cache_write_picodollars,
            cache_write_1h_picodollars=self.cache_write_1h_picodollars,
            input_audio_picodollars=self.input_audio_picodollars,
            reasoning_picodollars=self.reasoning_picodollars,
            output_audio_picodollars=self.output_audio_picodollars,
            request_picodollars=self.request_picodollars,
            tiers=self.tiers,
            search_picodollars=self.search_picodollars or 0,
        )
