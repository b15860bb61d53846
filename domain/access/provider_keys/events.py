"""The events of the keys that an account has at providers. They stand in one stream an account."""

from domain.event import Event, event
from domain.sealed import Sealed


@event("access.provider_key.added", version=1)
class ProviderKeyAdded(Event):
    """The account's requests are made at `provider` with its own key from now on.

    The key takes the place of an earlier one at this provider, and its id. `secret` is sealed
    under the account's data key, `last4` its last four characters. Only with `fallback` may the
    house's key serve where this one fails. `input_hash` is the keyed hash of what was asked for,
    which tells a repeated request from another one under the same `idempotency_key_hash`.
    """

    provider_key_id: str
    account_id: str
    provider: str
    secret: Sealed
    last4: str
    fallback: bool
    input_hash: str
    idempotency_key_hash: str | None = None


@event("access.provider_key.removed", version=1)
class ProviderKeyRemoved(Event):
    """The key is used no more, on every node at once."""

    provider_key_id: str
    account_id: str
    provider: str


EVENTS: tuple[type[Event], ...] = (ProviderKeyAdded, ProviderKeyRemoved)
