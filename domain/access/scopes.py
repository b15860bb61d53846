"""What a key may do, and what its holder may pass on."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from domain.errors import Forbidden, InvalidRequest

Scope = Literal[
    "inference",
    "jobs",
    "billing:read",
    "billing:write",
    "audit:read",
    "keys",
    "webhooks",
    "admin",
]
ALL_SCOPES: tuple[Scope, ...] = (
    "inference",
    "jobs",
    "billing:read",
    "billing:write",
    "audit:read",
    "keys",
    "webhooks",
    "admin",
)
# What the first key of an account holds: the house keeps `admin` to itself.
OWNER_SCOPES: tuple[Scope, ...] = tuple(scope for scope in ALL_SCOPES if scope != "admin")


def parse_scopes(names: Iterable[str]) -> tuple[Scope, ...]:
    """The scopes of these names, each once, in the order of the contract.

    Raises `InvalidRequest` for an unknown name, and when there is none at all.
    """
    wanted = set(names)
    unknown = sorted(wanted.difference(ALL_SCOPES))
    if unknown:
        known = ", ".join(ALL_SCOPES)
        raise InvalidRequest(f"unknown scope {unknown[0]!r}; known are {known}", param="scopes")
    if not wanted:
        raise InvalidRequest("a key needs at least one scope", param="scopes")
    return tuple(scope for scope in ALL_SCOPES if scope in wanted)


def grantable(holder: Iterable[str]) -> frozenset[Scope]:
    """The scopes that a holder of these may give to a key: its own, or all with `admin`."""
    held = frozenset(holder)
    return frozenset(ALL_SCOPES) if "admin" in held else cast("frozenset[Scope]", held)


def require_grantable(holder: Iterable[str], wanted: Iterable[str]) -> None:
    """Raises `Forbidden` when a holder of these scopes would hand out more than it has."""
    missing = sorted(frozenset(wanted) - grantable(holder))
    if missing:
        raise Forbidden(f"your key lacks the scope {missing[0]!r} and cannot give it away")


@dataclass(frozen=True, slots=True)
class Granter:
    """The key that asks: it gives no scope that it lacks, and nothing that outlives it.

    `expires_at` is Unix milliseconds, None for never.
    """

    scopes: tuple[str, ...]
    expires_at: int | None

    def require_scopes(self, wanted: Iterable[str]) -> None:
        """Raises `Forbidden` unless it may hand out every one of `wanted`."""
        require_grantable(self.scopes, wanted)

    def require_life(self, expires_at: int | None) -> None:
        """Raises `Forbidden` when a key that expires then would outlive this one."""
        if ends_later(expires_at, self.expires_at):
            raise Forbidden("your key expires and cannot give what outlives it", param="expires_at")


def ends_later(first: int | None, second: int | None) -> bool:
    """Whether an expiry comes after another; None is never."""
    return second is not None and (first is None or first > second)
