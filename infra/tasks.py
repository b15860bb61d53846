"""The background tasks of a process: one that fails fails the engine."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class Tasks:
    """Named tasks. `failed` ends with the error of the first that fails."""

    def __init__(self) -> None:
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` until it ends or the engine does."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._running[name] = task

    def states(self) -> Mapping[str, str]:
        """Each task: "ok" or "stopped"."""
        return {name: "stopped" if task.done() else "ok" for name, task in self._running.items()}

    async def ended(self, names: Mapping[str, object], timeout_seconds: float) -> None:
        """Waits for tasks that were asked to end, at most so long."""
        await asyncio.wait([self._running[name] for name in names], timeout=timeout_seconds)

    async def cancel(self) -> None:
        """Ends them all now."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        if self.failed.done():
            self.failed.exception()

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("engine.part_failed", part=task.get_name(), exc_info=error)
            if not self.failed.done():
                self.failed.set_exception(error)
