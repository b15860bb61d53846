"""What a key may do, and which scopes its holder may pass on."""

from collections.abc import Iterable
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
