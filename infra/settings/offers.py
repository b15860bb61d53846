"""Settings of what is sold: models and their offers."""

from typing import Literal

from pydantic import Field, field_validator

from domain.catalog.events import ModelKind
from infra.settings.section import Section
from infra.settings.values import UsdPerMillion, UsdPerRequest, UsdPerSearch

Capability = Literal[
    "tools",
    "parallel_tools",
    "json_schema",
    "vision",
    "pdf",
    "audio_input",
    "audio_output",
    "reasoning",
    "prefill",
    "prompt_caching",
    "web_search",
    "computer_use",
    "responses_only",
    "completions_only",
]
_LIKE_INPUT = "; without it that of the input."
_LIKE_OUTPUT = "; without it that of the output."


class ApartSettings(Section):
    """Prices told apart from those of the input and the output."""

    cache_read: UsdPerMillion = Field(
        default=None, description="USD per million input tokens read from the cache" + _LIKE_INPUT
    )
    cache_write: UsdPerMillion = Field(
        default=None, description="USD per million input tokens written to it" + _LIKE_INPUT
    )
    cache_write_1h: UsdPerMillion = Field(
        default=None,
        description="The same for an hour; without it that of `cache_write`.",
    )
    input_audio: UsdPerMillion = Field(
        default=None, description="USD per million input tokens of audio" + _LIKE_INPUT
    )
    reasoning: UsdPerMillion = Field(
        default=None, description="USD per million output tokens of reasoning" + _LIKE_OUTPUT
    )
    output_audio: UsdPerMillion = Field(
        default=None, description="USD per million output tokens of audio" + _LIKE_OUTPUT
    )


class TierSettings(ApartSettings):
    """Prices of the whole request where the input is long."""

    above_input_tokens: int = Field(gt=0, description="More input than this is long.")
    input: UsdPerMillion = Field(description="USD per million input tokens.")
    output: UsdPerMillion = Field(description="USD per million output tokens.")


class OfferSettings(ApartSettings):
    """A model at a provider, at a price."""

    provider: str = Field(min_length=1, description="The name of a provider.")
    native_id: str = Field(min_length=1, description="The provider's own name of the model.")
    input: UsdPerMillion = Field(
        default=None, description="USD per million input tokens. Without it the offer is not sold."
    )
    output: UsdPerMillion = Field(
        default=None, description="USD per million output tokens. Without it the offer is not sold."
    )
    request: UsdPerRequest = Field(
        default=0, description="USD for each request, beside its tokens.", validate_default=False
    )
    search: UsdPerSearch = Field(
        default=None,
        description="USD for each search of the web, or 0. A model that searches at every request "
        "is not sold without it, unless `request` has it.",
        validate_default=False,
    )
    tiers: tuple[TierSettings, ...] = Field(
        default=(), description="Prices where the input is long, by rising length."
    )

    @field_validator("tiers")
    @classmethod
    def _lengths_rise(cls, tiers: tuple[TierSettings, ...]) -> tuple[TierSettings, ...]:
        lengths = [tier.above_input_tokens for tier in tiers]
        if lengths != sorted(set(lengths)):
            raise ValueError("a tier begins no later than the one before it")
        return tiers


class ModelSettings(Section):
    """A model that customers can name, and who serves it.

    What is set of a model that is known without it takes the place of what is known; its offers
    join those that are known, or take the place of the same one.
    """

    kind: ModelKind = Field(default="chat", description="Which endpoints it serves.")
    context_length: int | None = Field(
        default=None, gt=0, description="Tokens of input and output."
    )
    max_output_tokens: int | None = Field(default=None, gt=0, description="Tokens of one answer.")
    free: bool = Field(default=False, description="Confirms that prices of zero are meant.")
    capabilities: tuple[Capability, ...] = Field(
        default=(),
        description="What requests may ask of it; empty: not known, and everything is passed on.",
    )
    offers: tuple[OfferSettings, ...] = Field(
        default=(), description="Who serves it at what price."
    )
