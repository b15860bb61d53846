"""The group reader: one thread that answers all reads that wait, with one hop for all of them.

A thread pool costs a hand-over of the interpreter lock for each read, which beside a busy event
loop is dearer than the read.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

R = TypeVar("R")
MAX_GROUP = 200


@dataclass(frozen=True, slots=True)
class _Read:
    work: Callable[[], Any]
    answer: asyncio.Future[Any]


class GroupReader:
    """Runs short blocking reads for one event loop, in order."""

    def __init__(self) -> None:
        self._reads: queue.SimpleQueue[_Read | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="event-store-reader", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[], R]) -> R:
        """What `work` returns or raises, from the reading thread."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._reads.put(_Read(work, answer))
        return cast("R", await answer)

    async def close(self) -> None:
        """Answers what waits and ends the thread."""
        self._reads.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (first := self._reads.get()) is not None:
            group = [first]
            while len(group) < MAX_GROUP and not self._reads.empty():
                read = self._reads.get()
                if read is None:
                    self._answer(group)
                    return
                group.append(read)
            self._answer(group)

    def _answer(self, group: list[_Read]) -> None:
        answers = [_outcome(read.work) for read in group]
        self._loop.call_soon_threadsafe(_deliver, group, answers)


def _outcome(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return work(), None
    except Exception as error:  # noqa: BLE001 - it is raised again where the read was asked for
        return None, error


def _deliver(group: list[_Read], answers: list[tuple[Any, Exception | None]]) -> None:
    for read, (value, error) in zip(group, answers, strict=True):
        if read.answer.done():
            continue
        if error is None:
            read.answer.set_result(value)
        else:
            read.answer.set_exception(error)
