"""Which topic an event stands in, and which partition of it.

Every family of events has a topic of its own; those of a job stand in the topic of its lane, so
that a batch cannot delay a job. All events of a stream stand in one partition.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aiokafka.partitioner import murmur2

from domain.inference.events import LANES, Lane

LANE_FAMILIES: Final[dict[Lane, str]] = {lane: f"inference.{lane}" for lane in LANES}
# The first part of an event's name → its family, but for `inference`, which has one a lane.
PLAIN_FAMILIES: Final = (
    "access",
    "batches",
    "billing",
    "providers",
    "webhooks",
    "catalog",
    "governance",
)
# The families that hold the log; dead letters are copies and no part of it.
FAMILIES: Final = (*PLAIN_FAMILIES, *LANE_FAMILIES.values())
DEAD_LETTERS: Final = "dead_letters"


class UnknownFamily(ValueError):
    """No topic is for events of this name: they are of another version of the engine."""


def has_lane(event_name: str) -> bool:
    """Whether the event stands in the topic of its job's lane."""
    return event_name.startswith("inference.")


def topic_of(event_name: str, lane: Lane | None = None) -> str:
    """The family of an event, `lane` being that of its job. Raises `UnknownFamily`."""
    if has_lane(event_name):
        if lane is None:
            raise ValueError(f"{event_name} needs the lane of its job")
        return LANE_FAMILIES[lane]
    family = event_name.partition(".")[0]
    if family not in PLAIN_FAMILIES:
        raise UnknownFamily(f"no topic is for events named {event_name!r}")
    return family


def families_of(event_names: Iterable[str]) -> tuple[str, ...]:
    """The families in which events of these names stand, each once."""
    found: dict[str, None] = {}
    for name in event_names:
        lanes: tuple[Lane, ...] | tuple[None] = LANES if has_lane(name) else (None,)
        found.update((topic_of(name, lane), None) for lane in lanes)
    return tuple(found)


@lru_cache(maxsize=65_536)
def partition_of(stream: str, partitions: int) -> int:
    """The partition of a stream: what Kafka's own producers choose for this key."""
    return int(murmur2(stream.encode()) & 0x7FFFFFFF) % partitions


@dataclass(frozen=True, slots=True)
class Topics:
    """The full names of the topics, `<prefix>.<family>`."""

    prefix: str

    def name(self, family: str) -> str:
        """The topic of a family."""
        return f"{self.prefix}.{family}"

    def names(self, families: Iterable[str]) -> tuple[str, ...]:
        """The topics of families."""
        return tuple(self.name(family) for family in families)

    @property
    def log(self) -> tuple[str, ...]:
        """Every topic of the log."""
        return self.names(FAMILIES)

    @property
    def dead_letters(self) -> str:
        """The topic of what consumers could not handle."""
        return self.name(DEAD_LETTERS)
