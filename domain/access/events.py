"""The events of accounts and API keys."""

from domain.event import Event, event
from domain.inference.events import DisconnectPolicy
from domain.sealed import Sealed


@event("access.account.opened", version=1)
class AccountOpened(Event):
    """An account exists; its default webhook secret is sealed under its own data key."""

    account_id: str
    name: str
    default_webhook_secret: Sealed


@event("access.key.created", version=1)
class KeyCreated(Event):
    """A key exists. `key_hash` is the keyed hash of the secret, which is shown once.

    `prefix` is the readable start (`gw_live_`), `last4` the last four characters. `on_disconnect`
    is what becomes of an answer whose client hung up.
    """

    key_id: str
    account_id: str
    name: str
    environment: str
    prefix: str
    last4: str
    key_hash: str
    scopes: tuple[str, ...]
    expires_at: int | None = None
    on_disconnect: DisconnectPolicy = "cancel"


@event("access.key.updated", version=1)
class KeyUpdated(Event):
    """Name, scopes, expiry and policy as they are from now on."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    expires_at: int | None = None
    on_disconnect: DisconnectPolicy = "cancel"


@event("access.key.rotated", version=1)
class KeyRotated(Event):
    """A new secret; every earlier one stops at `old_valid_until` or sooner.

    `idempotency_key_hash` and `overlap_seconds` tell a repeated request from another one.
    """

    key_id: str
    last4: str
    key_hash: str
    old_valid_until: int
    idempotency_key_hash: str | None = None
    overlap_seconds: int | None = None


@event("access.key.revoked", version=1)
class KeyRevoked(Event):
    """The key stops at once, on every node."""

    key_id: str


EVENTS: tuple[type[Event], ...] = (
    AccountOpened,
    KeyCreated,
    KeyUpdated,
    KeyRotated,
    KeyRevoked,
)
