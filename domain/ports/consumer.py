"""Consumers: plain functions over recorded events, in a typed table.

A handler returns what to record. It never acknowledges, commits or publishes: the runner does.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from domain.event import Event, Recorded
from domain.ports.event_store import StreamWrite


@dataclass(frozen=True, slots=True)
class Outcome:
    """What handling one event brings about; nothing by default.

    Work for the queues comes of the events themselves (`domain/effects.py`).
    """

    writes: tuple[StreamWrite, ...] = ()


NOTHING = Outcome()
E = TypeVar("E", bound=Event)
Handler = Callable[[Recorded[E]], Outcome | Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Route:
    """One event type and its handler."""

    event_type: type[Event]
    handle: Callable[[Recorded[Any]], Outcome | Awaitable[Outcome]]


def on(event_type: type[E], handle: Handler[E]) -> Route:
    """Pairs an event type with its handler; the type checker checks the pairing."""
    return Route(event_type, handle)


@dataclass(frozen=True, slots=True)
class Consumer:
    """A group of handlers that share one position in the log."""

    group: str
    routes: tuple[Route, ...]
