"""The only load → decide → append loop."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from domain.errors import VersionConflict
from domain.event import Event, Origin, Recorded
from domain.ports.event_store import Append, EventStore, StreamWrite

S = TypeVar("S")
C = TypeVar("C")
# Concurrent writers of one stream are few; passing this bound means a livelock, not bad luck.
MAX_CONFLICTS = 20

Evolve = Callable[[S | None, Event], S]
Decide = Callable[[S | None, C], tuple[Event, ...]]
StreamOf = Callable[[Event], str]


def fold(history: Sequence[Recorded[Event]], evolve: Evolve[S]) -> S | None:
    """The state that a stream's history makes."""
    state: S | None = None
    for recorded in history:
        state = evolve(state, recorded.event)
    return state


async def execute(
    store: EventStore,
    stream: str,
    command: C,
    origin: Origin,
    *,
    decide: Decide[S, C],
    evolve: Evolve[S],
    stream_of: StreamOf,
    known: tuple[S | None, int] | None = None,
) -> tuple[Recorded[Event], ...]:
    """Decides `command` on `stream` and appends the events, again after each conflict.

    `known` is a state and version the caller holds already; it saves the load unless the stream
    has moved on. Events that `stream_of` places in another stream start that stream (version 0).
    """
    for _ in range(MAX_CONFLICTS):
        if known is None:
            history = await store.read_stream(stream)
            known = fold(history, evolve), len(history)
        state, version = known
        events = decide(state, command)
        if not events:
            return ()
        try:
            return await store.append(Append(origin, _writes(stream, version, events, stream_of)))
        except VersionConflict as conflict:
            if conflict.stream != stream:
                raise
            known = None
    raise RuntimeError(f"{stream}: {MAX_CONFLICTS} version conflicts in a row")


def _writes(
    stream: str, version: int, events: tuple[Event, ...], stream_of: StreamOf
) -> tuple[StreamWrite, ...]:
    by_stream: dict[str, list[Event]] = {}
    for event in events:
        by_stream.setdefault(stream_of(event), []).append(event)
    return tuple(
        [
            StreamWrite(name, version if name == stream else 0, tuple(group))
            for name, group in by_stream.items()
        ]
    )
