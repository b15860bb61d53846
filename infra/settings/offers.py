"""Settings of what is sold: providers, models and their offers."""

from typing import Literal

from pydantic import Field, model_validator

from domain.catalog.catalogue import ModelKind
from infra.settings.section import Section
from infra.settings.values import Secret, UsdPerMillion

Protocol = Literal["openai-chat", "simulator"]
Capability = Literal["tools", "json_schema", "vision", "reasoning", "prefill"]


class ProviderSettings(Section):
    """One provider: a wire protocol at a base URL, with our credential."""

    protocol: Protocol = Field(
        default="openai-chat", description="The wire protocol that it speaks."
    )
    base_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s]+$",
        description="Where its routes begin, with the version: `https://api.openai.com/v1`.",
    )
    api_key: Secret | None = Field(
        default=None, description="Our credential. A provider that needs none leaves the name out."
    )
    enabled: bool = Field(default=True, description="Whether it is used at all.")
    unset_variables: tuple[str, ...] = Field(
        default=(), description="Filled in while reading: the variables that were not set."
    )

    @model_validator(mode="after")
    def _can_be_called(self) -> "ProviderSettings":
        if self.is_usable and self.protocol != "simulator" and self.base_url is None:
            raise ValueError("an enabled provider needs a base_url")
        return self

    @property
    def is_usable(self) -> bool:
        """Whether it is enabled and has the credential it asks for."""
        lacks_credential = "api_key" in self.model_fields_set and self.api_key is None
        return self.enabled and not self.unset_variables and not lacks_credential

    @property
    def why_unusable(self) -> str | None:
        """One line for the operator; None when it is usable."""
        if self.is_usable:
            return None
        if self.unset_variables:
            return f"{', '.join(self.unset_variables)} is not set"
        return "it has no api_key" if self.enabled else "it is switched off"


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
