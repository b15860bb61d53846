"""Pages that anybody may ask for: made anew every few seconds, however many ask."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

FRESH_SECONDS = 2.0


@dataclass(slots=True)
class _Page:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    made_at: float | None = None
    body: dict[str, Any] = field(default_factory=dict)


class StatusPages:
    """One page a name; names are not the caller's to choose."""

    def __init__(self) -> None:
        self._pages: dict[str, _Page] = {}

    async def get(self, name: str, make: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """The page as it was at most `FRESH_SECONDS` ago. Raises what `make` does."""
        page = self._pages.setdefault(name, _Page())
        async with page.lock:
            now = time.monotonic()
            if page.made_at is None or now - page.made_at >= FRESH_SECONDS:
                page.body = await make()
                page.made_at = now
            return page.body
