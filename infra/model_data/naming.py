"""Canonical names, `org/model`: one name for a model whatever its providers call it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# What follows the name of a model where it says on which terms it is served: offers of their own.
VARIANTS = ("free", "thinking", "online", "nitro", "floor", "extended", "exacto", "batch", "beta")
_VARIANT = re.compile(rf"^(.+):({'|'.join(VARIANTS)})$")
_WORDS = re.compile(r"[a-z]+|\d+|[^\x00-\x7f]+")
_PREFIX = re.compile(
    r"^(?:accounts/[^/]+/(?:models|routers)/|publishers/[^/]+/models/|models/|@[a-z]+/|hf:|fal-ai/"
    r"|databricks-|system\.ai\.|us-gov\.|(?:us|eu|apac|jp|au|ca|in|sa|global)\.)"
)
_DOTTED_ORG = re.compile(r"^([a-z0-9]+)\.(?=[a-z])")
_SUFFIX = re.compile(r"(?:-v\d+(?::\d+)+(?::\d+k)?|-v\d+:\d+|@[a-z0-9-]+|-maas|:\d+k)$")
_FIREWORKS_POINT = re.compile(r"(?<=\d)p(?=\d)")
_DATE = re.compile(r"-(?:20\d{6}|20\d\d-\d\d-\d\d)$")
Words = tuple[str, ...]


def words(name: str) -> Words:
    """What is left of a name once spelling is put aside: `Qwen2.5-7B` is `qwen-2-5-7b`."""
    return tuple(_WORDS.findall(name.lower()))


@dataclass(slots=True)
class Names:
    """Every canonical name so far, to be found by its words.

    `orgs` are other spellings of makers, `homes` the maker that a provider is, `families` the
    makers of names that begin in a certain way, `aliases` canonical names by what they are called.
    """

    orgs: Mapping[str, str]
    homes: Mapping[str, str]
    families: Iterable[tuple[re.Pattern[str], str]]
    aliases: Mapping[str, str]
    _days: dict[Words, set[str]] = field(default_factory=dict)
    _by_words: dict[tuple[str, Words], str] = field(default_factory=dict)
    _orgs_of: dict[Words, set[str]] = field(default_factory=dict)

    def know(self, name: str) -> None:
        """Takes a canonical name in; the first spelling stays."""
        org, _, model = name.partition("/")
        self._by_words.setdefault((org, words(model)), name)
        self._orgs_of.setdefault(words(model), set()).add(org)

    def note_day(self, native_id: str) -> None:
        """Takes note of the day in an id: a name has it only where there are several."""
        name = _stripped(_without_variant(native_id.lower())[0], "").rpartition("/")[2]
        if day := _DATE.search(name):
            digits = day[0].replace("-", "")
            self._days.setdefault(words(name[: day.start()]), set()).add(digits)

    def canonical(self, provider: str, native_id: str) -> str:
        """The name of what `provider` calls `native_id`; a new one is known from then on."""
        base, variant = _without_variant(native_id.lower())
        org, model = self._split(provider, _stripped(base, provider))
        name = self._known(org, model) or f"{org}/{model}"
        if not variant:
            self.know(name)
            return name
        return f"{name}:{variant}"

    def _split(self, provider: str, base: str) -> tuple[str, str]:
        head, slash, model = base.rpartition("/")
        if slash:
            org = self._org(head.rpartition("/")[2], model)
            return (org, model) if org != provider else (self._guessed(provider, model), model)
        dotted = _DOTTED_ORG.match(base)
        if dotted and (provider.startswith(("bedrock", "oci")) or dotted[1] in self.orgs):
            return self._org(dotted[1], base[dotted.end() :]), base[dotted.end() :]
        if base in self.aliases:
            org, _, model = self.aliases[base].partition("/")
            return org, model
        return self._guessed(provider, base), base

    def _org(self, spelled: str, model: str) -> str:
        if spelled == "meta" and model.startswith("muse-"):
            return "meta"
        return self.orgs.get(spelled, spelled)

    def _guessed(self, provider: str, model: str) -> str:
        """Whose model it is that bears no name: by its words, its family, or who serves it."""
        if family := next((org for rule, org in self.families if rule.match(model)), None):
            return family
        if provider in self.homes:
            return self.homes[provider]
        owners = self._orgs_of.get(words(model), set())
        return next(iter(owners)) if len(owners) == 1 else provider

    def _known(self, org: str, model: str) -> str | None:
        """The name known already, of a dated model that of the undated one."""
        alias = self.aliases.get(model, "")
        if alias.startswith(f"{org}/"):
            return alias
        if known := self._by_words.get((org, words(model))):
            return known
        undated = words(_DATE.sub("", model))
        return self._by_words.get((org, undated)) if len(self._days.get(undated, ())) == 1 else None


def _without_variant(native: str) -> tuple[str, str]:
    match = _VARIANT.match(native)
    return (match[1], match[2]) if match else (native, "")


def _stripped(native: str, provider: str) -> str:
    """Without what a provider writes around its ids."""
    name = native.partition(":")[0] if provider == "huggingface" else native
    while (shorter := _PREFIX.sub("", name)) != name:
        name = shorter
    while (shorter := _SUFFIX.sub("", name)) != name:
        name = shorter
    return _FIREWORKS_POINT.sub(".", name) if provider == "fireworks" else name
