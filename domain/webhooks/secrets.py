"""The signing secrets of a target: the present one and, for a while, the one before."""

from dataclasses import dataclass

from domain.ids import Kind, derived_id
from domain.sealed import Sealed


@dataclass(frozen=True, slots=True)
class Secrets:
    """At most two secrets; `previous` signs too until `previous_valid_until` (Unix ms)."""

    current: Sealed
    previous: Sealed | None = None
    previous_valid_until: int = 0

    def rotated(self, secret: Sealed, old_valid_until: int) -> "Secrets":
        """`secret` is the present one; one that was still overlapping before is dropped."""
        return Secrets(secret, self.current, old_valid_until)

    def signing_at(self, now: int) -> tuple[Sealed, ...]:
        """Those that sign a message at `now`, the present one first."""
        if self.previous is None or now >= self.previous_valid_until:
            return (self.current,)
        return (self.current, self.previous)


def secret_context(owner_id: str) -> str:
    """What a secret is sealed for: an endpoint, or an account for its per-job URLs."""
    return f"webhook.secret:{owner_id}"


def secret_hint(secret: str) -> str:
    """The last four characters."""
    return secret[-4:]


def default_secret_stream(account_id: str) -> str:
    """The stream of the rotations of an account's default secret."""
    return derived_id(Kind.WEBHOOK_ENDPOINT, account_id, "default")
