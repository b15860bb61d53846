"""Settings of one provider: a well-known one, or any that speaks a known wire."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from domain.routing.candidates import DataHandling
from infra.providers.addresses import NoAddress, address, regions_of
from infra.providers.registry import Protocol, ProviderFacts, registry
from infra.settings.section import Section, require_none
from infra.settings.values import Duration, Secret

# What may stand in the address and the headers of a well-known provider.
IN_ADDRESS = (
    "account_id",
    "api_version",
    "gateway_id",
    "location",
    "organization",
    "project",
    "region",
    "resource",
    "workspace",
)
# A wire of one vendor alone: its facts apply whatever the provider is called.
_PRESET_OF_PROTOCOL = {
    "azure-openai": "azure-openai",
    "bedrock-converse": "bedrock",
    "vertex": "google-vertex",
}
# The credential may be unreadable, or what reads it not installed.
_MORE_THAN_A_KEY = frozenset({"bedrock-converse", "vertex"})
UrlName = Annotated[str, Field(pattern=r"^[^\s/?#]+$")]


class ProviderTimeouts(Section):
    """Of calls to one provider, in place of those of `attempts`."""

    connect: Duration | None = Field(default=None, description="To open the connection.")
    first_byte: Duration | None = Field(
        default=None, description="To the first byte: long where a model has to be loaded first."
    )
    chunk: Duration | None = Field(default=None, description="Between two parts of a stream.")
    total: Duration | None = Field(
        default=None, description="For the whole call; never longer than that of `attempts`."
    )


class ProviderSettings(Section):
    """One provider: a wire protocol at a base URL, with our credential.

    A well-known provider needs its credential alone; what is set here comes before its facts.
    """

    preset: str | None = Field(
        default=None,
        description="The well-known provider whose facts hold, where this one has another name.",
    )
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
    headers: dict[str, str] = Field(default={}, description="Sent with every request.")
    organization: str | None = Field(
        default=None, description="Who pays there: of OpenAI, Hugging Face, Friendli."
    )
    project: UrlName | None = Field(default=None, description="Of OpenAI or Google Cloud.")
    region: UrlName | None = Field(
        default=None, description="Of AWS, or one of the regions that a provider has hosts in."
    )
    location: UrlName | None = Field(default=None, description="Of Google Vertex.")
    allow_global: bool | None = Field(
        default=None,
        description="Of Google Vertex: whether models that only the location `global` has may be "
        "called there. Without it they may as long as no location is named.",
    )
    resource: UrlName | None = Field(default=None, description="Of Azure.")
    api_version: UrlName | None = Field(
        default=None,
        description="Of Azure: with a date the routes of deployments are used, else those of v1.",
    )
    workspace: UrlName | None = Field(default=None, description="The host of Databricks.")
    account_id: UrlName | None = Field(default=None, description="Of Cloudflare.")
    gateway_id: UrlName | None = Field(default=None, description="Of Cloudflare.")
    credentials_json: Secret | None = Field(
        default=None, description="A Google service account: its JSON, also in base64."
    )
    credentials_file: Path | None = Field(default=None, description="The same, in a file.")
    access_key_id: Secret | None = Field(default=None, description="Of AWS.")
    secret_access_key: Secret | None = Field(default=None, description="Goes with the id.")
    session_token: Secret | None = Field(default=None, description="Of a temporary key of AWS.")
    profile: str | None = Field(default=None, description="In the files of AWS.")
    role_arn: str | None = Field(
        default=None,
        description="Says that the AWS library takes on the role of `AWS_ROLE_ARN`.",
    )
    tenant_id: UrlName | None = Field(default=None, description="Of Microsoft Entra.")
    client_id: str | None = Field(default=None, description="An application of Microsoft Entra.")
    client_secret: Secret | None = Field(default=None, description="Goes with the application.")
    authority: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s]+$",
        description="Who gives the tokens of Microsoft Entra, in a cloud of its own.",
    )
    ambient_credentials: bool = Field(
        default=False,
        description="Of AWS and Google Cloud: whatever the machine itself is allowed.",
    )
    timeouts: ProviderTimeouts | None = None
    handled_in: tuple[str, ...] = Field(
        default=(),
        description="The regions in which requests are handled, as the operator vouches for: "
        "requests that name regions go nowhere else.",
    )
    data_handling: DataHandling = Field(
        default="unknown",
        description="What becomes of prompts and answers there, as the operator vouches for: "
        "`forgets`, `retains`, `trains`.",
    )
    unset_variables: tuple[str, ...] = Field(
        default=(), description="Filled in while reading: the variables that were not set."
    )
    set_aside: str | None = Field(
        default=None, description="Filled in while reading: the variable that names another."
    )

    @model_validator(mode="before")
    @classmethod
    def _facts_come_first(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        preset = values.get("preset") or _PRESET_OF_PROTOCOL.get(str(values.get("protocol")))
        facts = registry().get(str(preset))
        return values if facts is None else {"protocol": facts.protocol, "preset": preset, **values}

    @model_validator(mode="after")
    def _can_be_called(self) -> "ProviderSettings":
        if self.preset is not None and self.facts is None:
            require_none([("preset", f"no provider is known as {self.preset!r}")])
        if not self.is_usable or self.protocol == "simulator":
            return self
        try:
            self.address()
        except NoAddress as problem:
            require_none([(problem.setting, str(problem))])
        return self

    @property
    def facts(self) -> ProviderFacts | None:
        """What is known of it; None for a provider of the operator's own."""
        return registry().get(self.preset) if self.preset else None

    @property
    def in_address(self) -> dict[str, str]:
        """What is set that may stand in an address or a header."""
        given = ((name, getattr(self, name)) for name in IN_ADDRESS)
        return {name: value for name, value in given if value is not None}

    def address(self) -> str:
        """The base URL. Raises `NoAddress`."""
        if self.base_url is not None:
            return self.base_url
        if self.facts is None:
            raise NoAddress("an enabled provider needs one", "base_url")
        return address(self.facts, self.protocol, self.in_address)

    @property
    def regions(self) -> frozenset[str]:
        """The regions in which requests may be handled; none where nothing is promised."""
        if self.handled_in:
            return frozenset(self.handled_in)
        # An address of the operator's own may lead anywhere.
        if self.facts is None or (self.base_url is not None and self.facts.region != "self"):
            return frozenset()
        return regions_of(self.facts, self.in_address)

    @property
    def shown_address(self) -> str | None:
        """The base URL as far as it can be told."""
        try:
            return self.address()
        except NoAddress:
            return None

    @property
    def lacks(self) -> tuple[tuple[str, ...], ...]:
        """The groups of settings of which one is needed and none is given."""
        if self.facts is None:
            lacks_key = "api_key" in self.model_fields_set and self.api_key is None
            return (("api_key",),) if lacks_key else ()
        return tuple(
            self._other_half(group) or group
            for group in self.facts.needs
            if not any(map(self._is_whole, group))
        )

    @property
    def is_usable(self) -> bool:
        """Whether it is enabled and has the credential it asks for."""
        return self.why_unusable is None

    @property
    def why_unusable(self) -> str | None:
        """One line for the operator; None when it is usable."""
        if not self.enabled:
            return "it is switched off"
        if self.unset_variables:
            return f"{', '.join(self.unset_variables)} is not set"
        if self.set_aside is not None:
            return f"{self.set_aside} names another region"
        if self.lacks:
            return "; ".join(map(self._lack, self.lacks))
        return self.fault

    @cached_property
    def fault(self) -> str | None:
        """What is wrong with a credential that is more than a key."""
        if self.protocol not in _MORE_THAN_A_KEY:
            return None
        from infra.providers.wires import fault_of  # noqa: PLC0415  most commands need no wires

        return fault_of(self)

    @property
    def may_be_global(self) -> bool:
        """Whether Vertex may be called at `global` for what no other location has."""
        return self.location is None if self.allow_global is None else self.allow_global

    def setting(self, name: str) -> str:
        """A setting of the address, or its default. Raises `NoAddress`."""
        default = self.facts.defaults.get(name) if self.facts else None
        value = self.in_address.get(name) or default
        if value is None:
            raise NoAddress("is not set", name)
        return value

    def _is_whole(self, name: str) -> bool:
        """Whether it is given, and what belongs to it too."""
        others = self.facts.pairs.get(name, ()) if self.facts else ()
        return all(map(self._is_given, (name, *others)))

    def _other_half(self, group: tuple[str, ...]) -> tuple[str, ...]:
        """What is missing of a credential that is given in part."""
        pairs = self.facts.pairs if self.facts else {}
        half = next((name for name in group if self._is_given(name)), None)
        return tuple(one for one in pairs.get(half or "", ()) if not self._is_given(one))

    def _is_given(self, name: str) -> bool:
        return name in self.model_fields_set and bool(getattr(self, name))

    def _lack(self, group: tuple[str, ...]) -> str:
        if self.facts is None:
            return f"it has no {group[0]}"
        variables = [
            self.facts.variables[name][0] for name in group if name in self.facts.variables
        ]
        return f"{' or '.join(variables or group)} is not set"
