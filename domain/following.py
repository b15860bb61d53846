"""The loop of those who only watch the log: a failed read makes them late, never ends them."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from domain.errors import StoreUnavailable
from domain.ports.event_store import LogEntry
from domain.ports.log import Log

PAGE = 1_000
RETRY_SECONDS = (0.05, 0.2, 1.0, 5.0)

log = logging.getLogger(__name__)


async def follow(
    source: Log,
    position: int,
    handle: Callable[[Sequence[LogEntry]], None],
    pause_seconds: float = 0.0,
) -> None:
    """Gives `handle` every entry after `position`, in order and each once, until cancelled.

    While the log cannot be read it waits and tries again; what `handle` raises ends it. Who can
    be late pauses after each reading, and is woken less often.
    """
    failures = 0
    while True:
        try:
            await source.wait(position)
            entries = await source.read(position, PAGE)
        except StoreUnavailable as error:
            delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
            log.warning("the log cannot be read, trying again in %s s: %s", delay, error)
            failures += 1
            await asyncio.sleep(delay)
            continue
        failures = 0
        if entries:
            handle(entries)
            position = entries[-1].position
        if pause_seconds and len(entries) < PAGE:
            await asyncio.sleep(pause_seconds)
