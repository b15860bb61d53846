"""What an event is: its stored name and version, its origin, and its recorded form.

The stored name is the contract and never a Python path, so a class may move or be renamed.
Times in events (`*_at`) are Unix milliseconds; amounts say their unit in their name.
"""

from collections.abc import Callable
from typing import ClassVar, Generic, Literal, NamedTuple, TypeVar, dataclass_transform

from domain.value import value

ActorType = Literal["key", "user", "system"]


class Event:
    """Base of every event; `@event` gives a subclass its stored name and version."""

    __slots__ = ()
    event_name: ClassVar[str]
    event_version: ClassVar[int]


E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)


@dataclass_transform(kw_only_default=True, frozen_default=True)
def event(name: str, *, version: int) -> Callable[[type[E]], type[E]]:
    """Makes a class a keyword-only value stored as `name` at `version`."""

    def declare(cls: type[E]) -> type[E]:
        made = value(kw_only=True)(cls)
        made.event_name = name
        made.event_version = version
        return made

    return declare


@value()
class Origin:
    """Who caused an append and why; copied into the envelope of each of its events."""

    account_id: str
    actor_type: ActorType
    actor_id: str
    correlation_id: str
    causation_id: str | None = None
    trace: str | None = None

    def caused_by(self, recorded: "Recorded[Event]") -> "Origin":
        """The same correlation, with `recorded` as the cause."""
        return Origin(
            account_id=recorded.account_id,
            actor_type=self.actor_type,
            actor_id=self.actor_id,
            correlation_id=recorded.correlation_id,
            causation_id=recorded.event_id,
            trace=recorded.trace,
        )


class Recorded(NamedTuple, Generic[E_co]):
    """An event with its envelope, as it stands in the log.

    `position` is gap-free over the whole log and starts at 1; `version` is gap-free within
    `stream` and starts at 1; `recorded_at` is Unix milliseconds.
    A tuple, because one is made of every event: a frozen dataclass takes four times as long.
    """

    position: int
    stream: str
    version: int
    event_id: str
    recorded_at: int
    account_id: str
    actor_type: ActorType
    actor_id: str
    correlation_id: str
    causation_id: str | None
    trace: str | None
    event: E_co


def system_origin(account_id: str, actor_id: str, correlation_id: str) -> Origin:
    """The origin of something the engine does by itself."""
    return Origin(account_id, "system", actor_id, correlation_id)
