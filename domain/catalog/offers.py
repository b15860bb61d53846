"""An offer: a model at a provider, at prices for each dimension, with where they are from."""

from dataclasses import dataclass

from domain.catalog.events import PricedOffer, PriceTier


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

    An unknown price of the input or output is None; another that is None is that of the input or
    output. Lengths and capabilities that are None are the model's. `as_of` is the day of the
    source, `disputed` what others say that are more than a tenth away.
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
    source: str = "configuration"
    as_of: str | None = None
    disputed: tuple[OtherPrice, ...] = ()

    @property
    def puts_out_dearer_images(self) -> bool:
        """Whether an image token of the answer costs more than one of text."""
        return (self.output_image_picodollars or 0) > (self.output_picodollars or 0)

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
        )
