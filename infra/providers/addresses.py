"""Where a well-known provider is reached, from its facts and what is set."""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from infra.providers.registry import Protocol, ProviderFacts

_SETTING = re.compile(r"\{([a-z_]+)\}")
# What the wire itself puts in, for each call.
_MODEL = "model"
# The names by which Azure calls its routes that need no version.
_UNVERSIONED = frozenset({"", "v1", "preview", "latest"})


class NoAddress(ValueError):
    """The address cannot be told from what is set; `setting` is the one to mend."""

    def __init__(self, message: str, setting: str) -> None:
        super().__init__(message)
        self.setting = setting


def address(facts: ProviderFacts, protocol: Protocol, values: Mapping[str, str]) -> str:
    """The base URL that the facts give for this wire and these settings. Raises `NoAddress`."""
    return filled(template(facts, protocol, values), {**facts.defaults, **values})


def template(facts: ProviderFacts, protocol: Protocol, values: Mapping[str, str]) -> str:
    """The base URL with its settings still to be put in. Raises `NoAddress`."""
    if is_versioned(facts, values) and facts.versioned_base_url:
        return facts.versioned_base_url
    if protocol != facts.protocol:
        return _other_wire(facts, protocol)
    place = values.get("region") or values.get("location") or ""
    if place in facts.hosts:
        return facts.hosts[place]
    if place and facts.hosts and not _SETTING.search(facts.base_url):
        raise NoAddress(f"it has hosts in {', '.join(facts.hosts)}", "region")
    return facts.base_url


def regions_of(facts: ProviderFacts, values: Mapping[str, str]) -> frozenset[str]:
    """The regions in which requests may be handled; none where nothing is promised."""
    place = values.get("region") or values.get("location") or ""
    if place in facts.hosts and place != "global":
        return frozenset({place})
    if facts.resident and facts.region:
        return frozenset({facts.region})
    return frozenset()


def is_versioned(facts: ProviderFacts, values: Mapping[str, str]) -> bool:
    """Whether an API version is set that goes into the address."""
    version = values.get("api_version", "")
    return facts.versioned_base_url is not None and version not in _UNVERSIONED


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with the settings put in. Raises `NoAddress` for one that is missing."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name == _MODEL:
            return found[0]
        if not values.get(name):
            raise NoAddress("is needed for its address", name)
        return quote(values[name], safe=".:")

    return _SETTING.sub(value, text)


def completed(host: str, facts: ProviderFacts, values: Mapping[str, str]) -> str:
    """An address as vendors' own variables hold it: the scheme and the path may be missing."""
    url = host if "://" in host else f"{_scheme(host)}://{host}"
    if urlsplit(url).path.strip("/"):
        return url
    default = template(facts, facts.protocol, values)
    path = default.partition("://")[2].partition("/")[2]
    return f"{url.rstrip('/')}/{path}"


def moved(route: str, host_of: str) -> str:
    """The path of `route` at the scheme and host of another address."""
    scheme, _, rest = host_of.partition("://")
    path = route.partition("://")[2].partition("/")[2]
    return f"{scheme}://{rest.partition('/')[0]}/{path}"


def _scheme(host: str) -> str:
    name = host.partition(":")[0]
    local = name in ("localhost", "0.0.0.0") or name.replace(".", "").isdigit()  # noqa: S104
    return "http" if local else "https"


def _other_wire(facts: ProviderFacts, protocol: Protocol) -> str:
    if protocol not in facts.also:
        known = ", ".join((facts.protocol, *facts.also))
        raise NoAddress(f"is needed for {protocol}; known are those of {known}", "base_url")
    return facts.also[protocol]
