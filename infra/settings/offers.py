"""Settings of what is sold: models and their offers."""

from typing import Literal

from pydantic import Field

from domain.catalog.catalogue import ModelKind
from infra.settings.section import Section
from infra.settings.values import UsdPerMillion

Capability = Literal["tools", "json_schema", "vision", "reasoning", "prefill"]


class OfferSettings(Section):
    """A model at a provider, at a price."""

    provider: str = Field(min_length=1, description="The name of a provider.")
    native_id: str = Field(min_length=1, description="The provider's own name of the model.")
    input: UsdPerMillion = Field(
        default=None, description="USD per million input tokens. Without it the offer is not sold."
    )
    output: UsdPerMillion = Field(
        default=None, description="USD per million output tokens. Without it the offer is not sold."
    )


class ModelSettings(Section):
    """A model that customers can name, and who serves it."""

    kind: ModelKind = Field(default="chat", description="Which endpoints it serves.")
    context_length: int | None = Field(
        default=None, gt=0, description="Tokens of input and output."
    )
    max_output_tokens: int | None = Field(default=None, gt=0, description="Tokens of one answer.")
    free: bool = Field(default=False, description="Confirms that prices of zero are meant.")
    capabilities: tuple[Capability, ...] = Field(
        default=(), description="What requests may ask of it."
    )
    offers: tuple[OfferSettings, ...] = Field(
        default=(), description="Who serves it at what price."
    )
