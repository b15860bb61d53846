"""What can be asked of accounts and keys. Times are Unix milliseconds.

Whoever asks is the granter: nobody gets a secret that can do more, or for longer, than theirs.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from domain.access.scopes import Granter
from domain.inference.events import DisconnectPolicy
from domain.sealed import Sealed


class Unchanged(Enum):
    """The value of a field that an update leaves as it is."""

    KEEP = "keep"


KEEP = Unchanged.KEEP
Kept = Literal[Unchanged.KEEP]


@dataclass(frozen=True, slots=True)
class CreateKey:
    """Make a key whose secret is known here by its hash alone."""

    key_id: str
    account_id: str
    name: str
    environment: str
    prefix: str
    last4: str
    key_hash: str
    scopes: tuple[str, ...]
    granter: Granter
    now: int
    expires_at: int | None = None
    on_disconnect: DisconnectPolicy = "cancel"


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """Open an account, with its owner's first key in the same append if one is given."""

    account_id: str
    name: str
    default_webhook_secret: Sealed
    owner_key: CreateKey | None = None


@dataclass(frozen=True, slots=True)
class UpdateKey:
    """Change what is not `KEEP`; an `expires_at` of None means never."""

    granter: Granter
    now: int
    name: str | Kept = KEEP
    scopes: tuple[str, ...] | Kept = KEEP
    expires_at: int | Kept | None = KEEP
    on_disconnect: DisconnectPolicy | Kept = KEEP


@dataclass(frozen=True, slots=True)
class RotateKey:
    """Give the key a new secret; the old one works for `overlap_seconds` more.

    Under an `idempotency_key_hash` that the key has seen it changes nothing.
    """

    last4: str
    key_hash: str
    overlap_seconds: int
    granter: Granter
    now: int
    idempotency_key_hash: str | None = None


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Stop the key for good."""

    granter: Granter


KeyCommand = CreateKey | UpdateKey | RotateKey | RevokeKey
