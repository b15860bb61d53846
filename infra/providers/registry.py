"""The registry of well-known providers: one entry of facts each, read from `registry.json`.

An entry says how a provider is reached and what it takes; which models it sells at what price is
the catalogue's business. `confidence` says how far an entry was checked: "high" by two sources
that agree, "low" by one weak source.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from adapters.providers.chat_quirks import NO_QUIRKS, ChatQuirks
from adapters.providers.model_lists.shapes import Shape

Protocol = Literal[
    "openai-chat",
    "openai-responses",
    "anthropic-messages",
    "gemini",
    "vertex",
    "bedrock-converse",
    "azure-openai",
    "cohere",
    "ollama",
    "simulator",
]
Confidence = Literal["high", "medium", "low"]
_PATH = Path(__file__).with_name("registry.json")


class PriceFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a listing holds its prices (dotted), and what one of them is in USD per token.

    Those of a request and of a search have the same scale.
    """

    input: str
    output: str
    scale: str
    cache_read: str | None = None
    cache_write: str | None = None
    reasoning: str | None = None
    input_audio: str | None = None
    request: str | None = None
    search: str | None = None


class ModelsFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The listing of models: relative to the base URL, or a URL of its own.

    `auth`: whether it wants the credential; `items`: the field of the entries, "" for an array;
    `shape`: how an entry is written.
    """

    path: str
    auth: bool = True
    items: str = "data"
    shape: Shape = "openai"
    price: PriceFacts | None = None


class Pin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A variable that chooses one of several regional entries.

    The entry is out of use while the variable has a value that is not among `values`. Keys of
    `shared` variables belong to it only while the variable has one of them.
    """

    variable: str
    values: tuple[str, ...]
    shared: tuple[str, ...] = ()


class ProviderFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of one provider.

    - `base_url` is for `protocol`; `also` has the addresses of its other wires, `hosts` those of
      its regions. `{location}`, `{resource}` and the like stand for settings.
    - `own` are those of `also` through which callers of the same wire go; `alone` the models
      (patterns of their names) that answer on one of them and nowhere else; `elsewhere`, by
      pattern, the address of models that have another one, where no quirks are known.
    - `header`, `scheme`, `headers`, `query`: how the credential is sent, and what goes with it; a
      header whose setting is not set is left out.
    - `variables`: the variables of the environment that a setting is read from, the first wins.
    - `needs`: it is usable when of each group one setting is given; `pairs`: what else belongs to
      a setting.
    - `region`: where it runs unless told otherwise: "self" is the operator's own machine,
      "customer" what the customer chose at the provider. Only with `resident` is that promised.
    - `batch`: what a batch costs of the usual price.
    - `silent`: the models (patterns of their names) that show nothing while they think.
    - `reasoning_field`: where it wants earlier reasoning back; `cache_marks`: it takes
      `cache_control` in chat messages.
    """

    name: str
    protocol: Protocol
    base_url: str
    versioned_base_url: str | None = None
    also: Mapping[Protocol, str] = {}
    own: tuple[Protocol, ...] = ()
    alone: Mapping[Protocol, tuple[str, ...]] = {}
    elsewhere: Mapping[str, str] = {}
    header: str = "Authorization"
    scheme: str = "Bearer {key}"
    headers: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    variables: Mapping[str, tuple[str, ...]]
    needs: tuple[tuple[str, ...], ...] = (("api_key",),)
    pairs: Mapping[str, tuple[str, ...]] = {}
    defaults: Mapping[str, str] = {}
    pin: Pin | None = None
    quirks: ChatQuirks = NO_QUIRKS
    silent: tuple[str, ...] = ()
    reasoning_field: str | None = None
    cache_marks: bool = False
    models: ModelsFacts | None = None
    region: str | None = None
    resident: bool = False
    hosts: Mapping[str, str] = {}
    data_policy: str | None = None
    batch: str | None = None
    confidence: Confidence
    docs: str

    @property
    def enabling_variables(self) -> list[list[str]]:
        """Groups of variables; it is enabled when of each group one is set."""
        needed = (
            [self.variables[name][0] for name in group if name in self.variables]
            for group in self.needs
        )
        return [variables for variables in needed if variables]


@cache
def registry() -> Mapping[str, ProviderFacts]:
    """Every entry by its name."""
    return msgspec.json.decode(_PATH.read_bytes(), type=dict[str, ProviderFacts])
