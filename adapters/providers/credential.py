"""What proves to a provider who we are: a secret in a header, and what goes with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

BEARER = "Bearer {key}"


@dataclass(frozen=True, slots=True)
class Credential:
    """`scheme` says how the header holds the secret; without a secret that header is not sent.

    `extra` are headers that are sent in any case, `query` what each URL ends with.
    """

    secret: str | None = field(default=None, repr=False)
    header: str = "authorization"
    scheme: str = BEARER
    extra: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    def headers(self) -> dict[str, str]:
        """The headers of every request, by their names in lower case."""
        sent = {name.lower(): value for name, value in self.extra.items()}
        if self.secret:
            sent[self.header.lower()] = self.scheme.replace("{key}", self.secret)
        return sent

    def url(self, url: str) -> str:
        """`url` with the query."""
        if not self.query:
            return url
        return f"{url}{'&' if '?' in url else '?'}{urlencode(self.query)}"
