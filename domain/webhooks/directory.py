"""The endpoints and secrets of every account, in memory: a fold of their events.

Whoever follows the log in order holds the directory as of that position. Applying an event
twice, or late, changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from domain.access.events import AccountOpened
from domain.event import Event, Recorded
from domain.webhooks.events import (
    DefaultSecretRotated,
    EndpointCreated,
    EndpointDeleted,
    EndpointDisabled,
    EndpointSecretRotated,
    EndpointUpdated,
)
from domain.webhooks.secrets import Secrets
from domain.webhooks.state import Endpoint, evolve_endpoint

DIRECTORY_EVENTS: tuple[type[Event], ...] = (
    AccountOpened,
    EndpointCreated,
    EndpointUpdated,
    EndpointSecretRotated,
    DefaultSecretRotated,
    EndpointDisabled,
    EndpointDeleted,
)


@dataclass(frozen=True, slots=True)
class Listed:
    """An endpoint with the stream version it stands at and its times in Unix milliseconds.

    `since` is the position of the event that created it.
    """

    endpoint: Endpoint
    version: int
    since: int
    created_at: int
    updated_at: int


class Directory:
    """Who is told of what. Not safe for threads."""

    def __init__(self, history: Iterable[Recorded[Event]] = ()) -> None:
        self._endpoints: dict[str, Listed] = {}
        self._of_account: dict[str, dict[str, None]] = {}
        self._defaults: dict[str, tuple[Secrets, int]] = {}
        for recorded in history:
            self.apply(recorded)

    def apply(self, recorded: Recorded[Event]) -> None:
        """Takes in one event of `DIRECTORY_EVENTS`."""
        match recorded.event:
            case AccountOpened(account_id=account_id, default_webhook_secret=secret):
                self._defaults.setdefault(account_id, (Secrets(secret), 0))
            case DefaultSecretRotated() as rotated:
                self._rotate_default(rotated, recorded.version)
            case _:
                self._apply_to_endpoint(recorded)

    def get(self, account_id: str, endpoint_id: str) -> Listed | None:
        """The account's endpoint of that id, unless it was deleted."""
        listed = self._endpoints.get(endpoint_id)
        if listed is None or listed.endpoint.account_id != account_id or listed.endpoint.deleted:
            return None
        return listed

    def of_account(self, account_id: str) -> tuple[Listed, ...]:
        """The account's endpoints that are not deleted, oldest first."""
        return tuple(self._endpoints[i] for i in self._of_account.get(account_id, ()))

    def receiving(self, account_id: str, at: int) -> tuple[Endpoint, ...]:
        """The account's enabled endpoints that can be told of an event at position `at`.

        One that was created later is not told of it, whenever this is asked.
        """
        return tuple(
            listed.endpoint
            for listed in self.of_account(account_id)
            if listed.since <= at and listed.endpoint.receives
        )

    def default_secrets(self, account_id: str) -> Secrets | None:
        """What signs the messages to the account's per-job URLs."""
        known = self._defaults.get(account_id)
        return None if known is None else known[0]

    def _rotate_default(self, rotated: DefaultSecretRotated, version: int) -> None:
        secrets, seen = self._defaults[rotated.account_id]
        if version > seen:
            newer = secrets.rotated(rotated.secret, rotated.old_valid_until)
            self._defaults[rotated.account_id] = (newer, version)

    def _apply_to_endpoint(self, recorded: Recorded[Event]) -> None:
        listed = self._endpoints.get(recorded.stream)
        if listed is not None and recorded.version <= listed.version:
            return
        endpoint = evolve_endpoint(listed.endpoint if listed else None, recorded.event)
        since = listed.since if listed else recorded.position
        created_at = listed.created_at if listed else recorded.recorded_at
        self._endpoints[recorded.stream] = Listed(
            endpoint, recorded.version, since, created_at, recorded.recorded_at
        )
        mine = self._of_account.setdefault(endpoint.account_id, {})
        if endpoint.deleted:
            mine.pop(recorded.stream, None)
        else:
            mine[recorded.stream] = None
