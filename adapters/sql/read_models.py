"""The read models in a SQL database: folded in memory by batch, written in one transaction."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from adapters.sql import registry
from adapters.sql.engine import Superseded, glance, transaction
from adapters.sql.layout import layout_of
from adapters.sql.snapshot import snapshot
from adapters.sql.working_set import RowCache, WorkingSet
from domain.ports.event_store import LogEntry
from domain.ports.read_models import Generation, Snapshot, entry_id
from projections.catalogue import PROJECTIONS
from projections.folding import Projection, Stop, fold_entries, keys_of

T = TypeVar("T")
READERS = 4
# A new connection and a new snapshot have what was missing, unless it is missing once more.
READ_AGAIN = 2
Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class _Step:
    """What one batch makes of one generation."""

    after: Generation
    working: WorkingSet


class SqlReadModels:
    """`ReadModels` on an SQLAlchemy engine, which it owns; one of them per process."""

    def __init__(self, engine: Engine, projections: Sequence[Projection] = PROJECTIONS) -> None:
        self.engine = engine
        self.projections = {projection.name: projection for projection in projections}
        self._caches: dict[Key, RowCache] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="read-models-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read-models-reader")

    async def close(self) -> None:
        """Finishes what runs and closes the connections."""
        for executor in (self._writer, self._readers):
            await asyncio.to_thread(executor.shutdown)
        self.engine.dispose()

    async def prepare(self) -> Sequence[Generation]:
        return await self._run(self._writer, self._prepare)

    async def generations(self) -> Sequence[Generation]:
        return await self._run(self._readers, self._generations)

    async def apply(
        self, generations: Sequence[Generation], entries: Sequence[LogEntry]
    ) -> Sequence[Generation]:
        keys = {generation.key for generation in generations}
        return await self._run(self._writer, self._apply, keys, entries)

    async def build(self, name: str) -> Generation:
        return await self._run(self._writer, self._build, name)

    async def activate(self, generation: Generation) -> bool:
        return await self._run(self._writer, self._activate, generation)

    async def discard(self, generations: Sequence[Generation]) -> None:
        await self._run(self._writer, self._discard, generations)

    async def fetch(self, query: Callable[[Snapshot], T]) -> T:
        return await self._run(self._readers, self._fetch, query)

    async def _run(self, executor: Executor, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, partial(work, *arguments))

    def _prepare(self) -> Sequence[Generation]:
        with self._restructuring() as connection:
            registry.retry(connection)
            there = {(g.name, g.version) for g in registry.generations(connection)}
            for projection in self.projections.values():
                if (projection.name, projection.version) not in there:
                    registry.create(connection, projection)
            prepared = self.known(connection)
        self._drop_retired()
        return prepared

    @contextmanager
    def _restructuring(self) -> Iterator[Connection]:
        """One transaction, and no other process writes meanwhile."""
        with transaction(self.engine, writes=True) as connection:
            registry.create_registry(connection)
            layout_of(connection).alone(connection)
            yield connection

    def _generations(self) -> Sequence[Generation]:
        with glance(self.engine) as connection:
            return self.known(connection)

    def known(self, connection: Connection) -> list[Generation]:
        """The generations of the projections that this code knows."""
        return [
            replace(g, current=g.version == self.projections[g.name].version)
            for g in registry.generations(connection)
            if g.name in self.projections
        ]

    def _apply(self, keys: set[Key], entries: Sequence[LogEntry]) -> Sequence[Generation]:
        with transaction(self.engine, writes=True) as connection:
            layout_of(connection).lock(connection, keys)
            known = {generation.key: generation for generation in self.known(connection)}
            advancing = [g for key, g in known.items() if key in keys and g.can_advance]
            steps = [self._step(connection, g, _after(g.position, entries)) for g in advancing]
            for step in steps:
                step.working.write(connection)
            registry.advance(connection, [step.after for step in steps])
        self._caches = {key: cache for key, cache in self._caches.items() if key in known}
        for step in steps:
            self._cache(step.after).advance(step.after, step.working.changes)
            known[step.after.key] = step.after
        return list(known.values())

    def _step(
        self, connection: Connection, generation: Generation, entries: Sequence[LogEntry]
    ) -> _Step:
        working, stop = self._fold(connection, generation, entries)
        if stop is None:
            return _Step(_moved(generation, entries), working)
        before = [entry for entry in entries if entry.position < stop.position]
        working, _ = self._fold(connection, generation, before)
        return _Step(replace(_moved(generation, before), error=stop.error), working)

    def _fold(
        self, connection: Connection, generation: Generation, entries: Sequence[LogEntry]
    ) -> tuple[WorkingSet, Stop | None]:
        projection, cache = self.projections[generation.name], self._cache(generation)
        working = WorkingSet(cache.tables, cache.at(generation))
        working.load(connection, keys_of(projection, entries))
        return working, fold_entries(projection, working, entries)

    def _cache(self, generation: Generation) -> RowCache:
        if generation.key not in self._caches:
            tables = self.projections[generation.name].tables
            layout = layout_of(self.engine)
            made = {t.name: layout.rows(layout.table(t, generation)) for t in tables}
            self._caches[generation.key] = RowCache(made)
        return self._caches[generation.key]

    def _build(self, name: str) -> Generation:
        with self._restructuring() as connection:
            return registry.create(connection, self.projections[name])

    def _activate(self, generation: Generation) -> bool:
        with self._restructuring() as connection:
            active = [
                g for g in self.known(connection) if g.name == generation.name and g.is_active
            ]
            position = registry.position_of(connection, generation)
            if any(position < other.position for other in active):
                return False
            replaced = [other for other in active if other.key != generation.key]
            projection = self.projections[generation.name]
            registry.activate(connection, projection, generation, replaced)
        self._drop_retired()
        return True

    def _discard(self, generations: Sequence[Generation]) -> None:
        with self._restructuring() as connection:
            for generation in generations:
                registry.retire(connection, self.projections[generation.name], generation)
        self._drop_retired()

    def _drop_retired(self) -> None:
        """In its own transaction, so that the swap is short."""
        with transaction(self.engine, writes=True) as connection:
            registry.drop_retired(connection)

    def _fetch(self, query: Callable[[Snapshot], T]) -> T:
        for _ in range(READ_AGAIN):
            with suppress(Superseded):
                return self._ask(query)
        return self._ask(query)

    def _ask(self, query: Callable[[Snapshot], T]) -> T:
        with snapshot(self.engine) as seen:
            return query(seen)


def _moved(generation: Generation, entries: Sequence[LogEntry]) -> Generation:
    """The generation once it holds `entries`."""
    if not entries:
        return generation
    return replace(generation, position=entries[-1].position, entry_id=entry_id(entries[-1]))


def _after(position: int, entries: Sequence[LogEntry]) -> Sequence[LogEntry]:
    """The entries after `position`. Raises `ValueError` when one before them is missing."""
    if not entries:
        return entries
    first = entries[0].position
    if first > position + 1 or entries[-1].position != first + len(entries) - 1:
        raise ValueError(f"entries from {first} on leave a gap after position {position}")
    return entries[max(0, position + 1 - first) :]
