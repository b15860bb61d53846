"""Who has a key at which provider, in memory: a fold of the events, on every node.

Applying an event twice, or late, changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.access.provider_keys.events import EVENTS, ProviderKeyAdded, ProviderKeyRemoved
from domain.event import Event, Recorded
from domain.sealed import Sealed

DIRECTORY_EVENTS = tuple(event_type.event_name for event_type in EVENTS)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ProviderKeyEntry:
    """A key in use; `created_at` is Unix milliseconds.

    Entries are equal only to themselves, so that what is kept for one ends with it.
    """

    provider_key_id: str
    account_id: str
    provider: str
    secret: Sealed
    last4: str
    fallback: bool
    created_at: int


OwnKeys = Mapping[str, ProviderKeyEntry]
NO_KEYS: OwnKeys = {}


class ProviderKeyDirectory:
    """The provider keys of every account. Not safe for threads."""

    def __init__(self) -> None:
        self._by_id: dict[str, ProviderKeyEntry] = {}
        self._of_account: dict[str, dict[str, ProviderKeyEntry]] = {}
        self._versions: dict[str, int] = {}

    def of_account(self, account_id: str) -> OwnKeys:
        """The account's keys by provider, in the order of their adding."""
        return self._of_account.get(account_id, NO_KEYS)

    def get(self, account_id: str, provider_key_id: str) -> ProviderKeyEntry | None:
        """The account's key of this id; None when it has none such."""
        entry = self._by_id.get(provider_key_id)
        return entry if entry is not None and entry.account_id == account_id else None

    def find(self, provider_key_id: str) -> ProviderKeyEntry | None:
        """The key of this id as a job was pinned to it, unless it was removed."""
        return self._by_id.get(provider_key_id)

    def apply(self, recorded: Recorded[Event]) -> None:
        """Folds one event in; events of other subjects change nothing."""
        event = recorded.event
        if not isinstance(event, ProviderKeyAdded | ProviderKeyRemoved):
            return
        if recorded.version <= self._versions.get(recorded.stream, 0):
            return
        self._versions[recorded.stream] = recorded.version
        mine = self._of_account.setdefault(event.account_id, {})
        mine.pop(event.provider, None)
        self._by_id.pop(event.provider_key_id, None)
        if isinstance(event, ProviderKeyAdded):
            mine[event.provider] = self._by_id[event.provider_key_id] = entry_of(recorded)
        if not mine:
            del self._of_account[event.account_id]


def entry_of(recorded: Recorded[Event]) -> ProviderKeyEntry:
    """The key that was added. Raises `ValueError` for another event."""
    event = recorded.event
    if not isinstance(event, ProviderKeyAdded):
        raise ValueError(f"{event.event_name} adds no provider key")  # noqa: TRY004
    return ProviderKeyEntry(
        event.provider_key_id,
        event.account_id,
        event.provider,
        event.secret,
        event.last4,
        event.fallback,
        recorded.recorded_at,
    )
