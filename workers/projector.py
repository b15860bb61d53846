"""The projector: follows the log and keeps the read models with it; builds new ones beside."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import structlog

from domain.errors import StoreUnavailable
from domain.ports.clock import Clock
from domain.ports.event_store import LogEntry
from domain.ports.log import Log
from domain.ports.read_models import (
    Generation,
    ReadModels,
    ReadModelUnavailable,
    StoredLog,
)
from workers.provenance import Read, discard_strangers
from workers.read_model_state import Lag, ReadModelState

BATCH = 2_000
BUILD_BATCH = 5_000
# A batch gathers for this long unless somebody waits for it: few commits instead of many, no work
# beside the commits of a job that has just begun, and one write of a job that ends within it.
GATHER_SECONDS = 0.25
RETRY_SECONDS = 1.0
T = TypeVar("T")
Key = tuple[str, int, int]
Progress = Callable[[int, int], None]
log_to = structlog.get_logger()


def no_progress(done: int, total: int) -> None:
    """Reports nothing."""


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """One generation of a projection against the end of the log."""

    generation: Generation
    head: int

    @property
    def lag(self) -> int:
        return max(0, self.head - self.generation.position)


async def status(read_models: ReadModels, store: StoredLog) -> tuple[ProjectionStatus, ...]:
    """Every generation that exists, with its lag."""
    head = await store.head()
    return tuple(ProjectionStatus(g, head) for g in await read_models.generations())


async def rebuild(
    read_models: ReadModels,
    store: StoredLog,
    names: Sequence[str],
    progress: Progress = no_progress,
    truth: Read | None = None,
) -> tuple[Generation, ...]:
    """Builds the named projections anew beside the active ones and swaps them in.

    Returns those that could not be built, each with its error; empty when all went well.
    `progress` gets the events done and the events to do. `truth` is as the projector has it.
    A log that cannot be read leaves nothing half built behind.
    """
    built = [await read_models.build(name) for name in names]
    try:
        there = [g for g in await read_models.generations() if g.name in names]
        await discard_strangers(read_models, there, truth or store.read_log)
        return await catch_up(read_models, store, built, progress)
    except StoreUnavailable:
        keys = {generation.key for generation in built}
        there = [g for g in await read_models.generations() if g.key in keys]
        await read_models.discard([g for g in there if not g.is_active])
        raise


async def catch_up(
    read_models: ReadModels,
    store: StoredLog,
    generations: Sequence[Generation],
    progress: Progress = no_progress,
) -> tuple[Generation, ...]:
    """Brings `generations` to the end of the log and swaps them in; returns those that failed."""
    waiting, failed = {g.key: g for g in generations}, list[Generation]()
    while waiting:
        position = min(g.position for g in waiting.values())
        entries = await store.read_log(position, BUILD_BATCH)
        for after in await read_models.apply(tuple(waiting.values()), entries):
            if after.key in waiting:
                waiting[after.key] = after
        failed += [waiting.pop(g.key) for g in tuple(waiting.values()) if g.error is not None]
        if len(entries) < BUILD_BATCH:
            await _activate(read_models, waiting)
        progress(position + len(entries), max(position + len(entries), await store.head()))
    return tuple(failed)


async def _activate(read_models: ReadModels, waiting: dict[Key, Generation]) -> None:
    for key, generation in tuple(waiting.items()):
        if await read_models.activate(generation):
            del waiting[key]


class Projector:
    """Applies the log to the active generations in batches; used on one event loop.

    It also builds what is missing or was folded from another log, and swaps it in at the end of
    the log. A projection that cannot fold an entry stops there, visibly, and the others go on.
    While the read models cannot be written it tries again: nothing is lost, only late.

    `truth` reads the log that says which other logs are strangers: where `log` is a copy that may
    be behind, the one it is copied from.
    """

    def __init__(
        self, log: Log, read_models: ReadModels, clock: Clock, truth: Read | None = None
    ) -> None:
        self._log, self._read_models = log, read_models
        self._truth = truth or log.read
        self._building: frozenset[Key] = frozenset()
        self._state = ReadModelState(log, clock, lambda g: g.key in self._building)
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Works until `stop`, and finishes the batch in hand."""
        await self._retrying(self._prepare)
        while not self._stopping.is_set():
            applied = await self._retrying(self._turn) or 0
            if not applied:
                await self._idle()
            if applied < BATCH:
                await self._gather()

    def stop(self) -> None:
        """Ends `run` after the batch in hand."""
        self._stopping.set()

    def generations(self) -> Sequence[Generation]:
        """All generations as the last batch left them; a stopped one carries its error."""
        return self._state.generations

    def lag(self) -> dict[str, Lag]:
        """The lag of each projection that has not stopped."""
        return self._state.lag()

    def stopped(self) -> dict[str, str]:
        """The projections that met an entry which they cannot fold, each with the error."""
        return self._state.stopped()

    async def caught_up(
        self, position: int, timeout_seconds: float, names: Sequence[str] = ()
    ) -> bool:
        """Whether the named projections, or all, held `position` within the time."""
        return await self._state.caught_up(position, timeout_seconds, names)

    async def _gather(self) -> None:
        """Lets the next batch grow, unless somebody waits for it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_SECONDS):
                await self._state.hurried.wait()

    async def _prepare(self) -> None:
        generations = await self._read_models.prepare()
        if await discard_strangers(self._read_models, generations, self._truth):
            generations = await self._read_models.prepare()
        self._building = frozenset(g.key for g in generations if g.current and not g.is_active)
        await self._see(generations)

    async def _see(self, generations: Sequence[Generation]) -> None:
        for after in generations:
            if after.error is not None and after not in self._state.generations:
                log_to.error("projection stopped", projection=after.name, error=after.error)
        await self._state.see(generations)

    async def _turn(self) -> int:
        """One batch for each group of generations at one position; the entries of the largest.

        So one that is far behind does not hold up the others.
        """
        applied = 0
        for position, group in self._groups().items():
            entries = await self._log.read(position, BATCH)
            if entries:
                await self._apply(group, entries)
                applied = max(applied, len(entries))
        await self._swap_in()
        return applied

    async def _apply(self, group: Sequence[Generation], entries: Sequence[LogEntry]) -> None:
        for generation in group:
            self._state.fell_behind(generation.name)
        await self._see(await self._read_models.apply(group, entries))

    async def _swap_in(self) -> None:
        for generation in self._followed():
            if not generation.is_active and generation.position >= self._log.head():
                await self._read_models.activate(generation)
                await self._see(await self._read_models.generations())

    def _followed(self) -> list[Generation]:
        """Those that this projector keeps up; a rebuild beside it keeps up others."""
        return [generation for generation in self._state.own() if generation.can_advance]

    def _groups(self) -> dict[int, list[Generation]]:
        groups: dict[int, list[Generation]] = {}
        for generation in self._followed():
            groups.setdefault(generation.position, []).append(generation)
        return groups

    async def _idle(self) -> None:
        """Sleeps until the log moves on or `stop` is called."""
        position = min(self._groups(), default=self._log.head())
        waits = [
            asyncio.create_task(self._log.wait(position)),
            asyncio.create_task(self._stopping.wait()),
        ]
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()

    async def _retrying(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """Does `work` again until the databases answer; None when stopped before that."""
        while not self._stopping.is_set():
            try:
                return await work()
            except (ReadModelUnavailable, StoreUnavailable) as error:
                log_to.warning("read models wait", error=str(error))
                with suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_SECONDS):
                        await self._stopping.wait()
        return None
