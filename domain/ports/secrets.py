"""Secrets that the engine makes for its customers, and how it recognises them again."""

from dataclasses import dataclass
from typing import Literal, Protocol

Environment = Literal["live", "test", "staging", "dev"]
ENVIRONMENTS: tuple[Environment, ...] = ("live", "test", "staging", "dev")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key in clear, shown to its owner once and never stored, with what is stored of it.

    `prefix` is the readable start (`gw_live_`), `last4` the last four characters.
    """

    secret: str
    key_hash: str
    prefix: str
    last4: str

    def __repr__(self) -> str:
        return f"ApiKey({self.prefix}…{self.last4})"


class Secrets(Protocol):
    """Laws, held by `tests/unit/test_api_keys.py`:

    1. Every new secret holds at least 256 random bits.
    2. `key_hash` is the same for the same secret, on every node and after every restart, and
       tells nothing about the secret to whoever lacks the master key.
    """

    def new_api_key(self, environment: Environment) -> ApiKey: ...

    def adopt_api_key(self, secret: str) -> ApiKey:
        """Describes a secret that somebody else chose. Raises `ValueError` if it is too weak."""
        ...

    def key_hash(self, secret: str) -> str: ...

    def new_webhook_secret(self) -> str:
        """A signing secret of the Standard Webhooks form, `whsec_` and base64."""
        ...
