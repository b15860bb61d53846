"""Whether read models were folded from this log: those that were not are discarded.

A log that was restored from a backup, or that lost its last commits to a power cut, gives
positions a second time. Read models of its former self would show what never happened and skip
what did.
"""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from domain.ports.event_store import LogEntry
from domain.ports.read_models import Generation, ReadModels, entry_id

# Entries after a position, at most so many.
Read = Callable[[int, int], Awaitable[Sequence[LogEntry]]]
log_to = structlog.get_logger()


async def discard_strangers(
    read_models: ReadModels, generations: Sequence[Generation], read: Read
) -> bool:
    """Discards those of `generations` that another log made; whether there were any.

    `generations` must have been read before the log is, which may have grown since.
    """
    strangers = [g for g in generations if not await _is_of_this_log(g, read)]
    for stranger in strangers:
        log_to.error(
            "read model of another log discarded",
            projection=stranger.name,
            generation=stranger.number,
            position=stranger.position,
        )
    if strangers:
        await read_models.discard(strangers)
    return bool(strangers)


async def _is_of_this_log(generation: Generation, read: Read) -> bool:
    if generation.position == 0:
        return True
    found = await read(generation.position - 1, 1)
    return [entry_id(entry) for entry in found] == [generation.entry_id]
