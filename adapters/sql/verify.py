"""The proof that the read models say what the log says: a replay beside, compared row for row."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, Table, select

from adapters.sql.engine import open_sqlite
from adapters.sql.layout import layout_of
from adapters.sql.read_models import SqlReadModels
from adapters.sql.snapshot import snapshot
from domain.ports.read_models import Difference, Generation, ReadModelUnavailable, StoredLog
from projections.folding import Projection, Row

BATCH = 5_000
ROWS_AT_ONCE = 500
SHOWN = 20
Progress = Callable[[int, int], None]


async def verify(
    live: SqlReadModels, store: StoredLog, names: Sequence[str], progress: Progress
) -> tuple[Difference, ...]:
    """Replays the log into a scratch database and compares; the first differences found.

    The live read models may move on meanwhile: they are compared in one snapshot, at the
    position which that holds. Raises `ReadModelUnavailable` when there is nothing to compare.
    `progress` gets the events replayed and the events to replay.
    """
    projections = [live.projections[name] for name in names]
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="replay-"))
        scratch = SqlReadModels(
            open_sqlite(Path(folder) / "replay.db", disposable=True), projections
        )
        stack.push_async_callback(scratch.close)
        replay = _Replay(scratch, store, progress)
        await replay.up_to(_active(await live.generations(), projections))
        seen = await asyncio.to_thread(stack.enter_context, snapshot(live.engine))
        known = await asyncio.to_thread(_held, live, seen.connection, projections)
        await replay.up_to(_active(known, projections))
        return await asyncio.to_thread(_compare, seen.connection, scratch, projections)


class _Replay:
    """Brings the scratch read models to given positions, and makes them readable there."""

    def __init__(self, scratch: SqlReadModels, store: StoredLog, progress: Progress) -> None:
        self._scratch, self._store, self._progress = scratch, store, progress

    async def up_to(self, targets: dict[str, Generation]) -> None:
        """Replays each projection to the position of its target."""
        own = {generation.name: generation for generation in await self._scratch.prepare()}
        end = max((target.position for target in targets.values()), default=0)
        position = min((generation.position for generation in own.values()), default=0)
        while position < end:
            entries = await self._store.read_log(position, min(BATCH, end - position))
            if not entries:
                raise ReadModelUnavailable(f"the log ends at {position}, the read models at {end}")
            for name, target in targets.items():
                wanted = [entry for entry in entries if entry.position <= target.position]
                await self._scratch.apply((own[name],), wanted)
            position = entries[-1].position
            self._progress(position, end)
        for generation in own.values():
            if not generation.is_active:
                await self._scratch.activate(generation)


def _active(
    generations: Sequence[Generation], projections: Sequence[Projection]
) -> dict[str, Generation]:
    active = {g.name: g for g in generations if g.is_active and g.current}
    for projection in projections:
        if projection.name not in active:
            raise ReadModelUnavailable(f"{projection.name} has no active generation to verify")
    return {projection.name: active[projection.name] for projection in projections}


def _held(
    live: SqlReadModels, connection: Connection, projections: Sequence[Projection]
) -> Sequence[Generation]:
    """The generations in the snapshot, of which no table can be dropped from here on."""
    layout_of(connection).take_time(connection)
    for projection in projections:
        for table in projection.tables:
            connection.execute(select(table).limit(0))
    return live.known(connection)


def _compare(
    live: Connection, scratch: SqlReadModels, projections: Sequence[Projection]
) -> tuple[Difference, ...]:
    with snapshot(scratch.engine) as replayed:
        differences = (
            difference
            for projection in projections
            for table in projection.tables
            for difference in _differences(projection.name, table, live, replayed.connection)
        )
        return tuple(islice(differences, SHOWN))


def _differences(
    projection: str, table: Table, live: Connection, replayed: Connection
) -> Iterator[Difference]:
    """Walks both tables in the order of their keys."""
    key_of = _key_of(table)
    lefts, rights = _ordered(live, table), _ordered(replayed, table)
    left, right = next(lefts, None), next(rights, None)
    while left is not None or right is not None:
        key = min(key_of(row) for row in (left, right) if row is not None)
        of_live = left if left is not None and key_of(left) == key else None
        of_replay = right if right is not None and key_of(right) == key else None
        if of_live != of_replay:
            yield Difference(projection, table.name, key, of_live, of_replay)
        left = left if of_live is None else next(lefts, None)
        right = right if of_replay is None else next(rights, None)


def _key_of(table: Table) -> Callable[[Row], tuple[Any, ...]]:
    names = [column.name for column in table.primary_key.columns]
    return lambda row: tuple(row[name] for name in names)


def _ordered(connection: Connection, table: Table) -> Iterator[Row]:
    statement = select(table).order_by(*table.primary_key.columns)
    streaming = connection.execution_options(yield_per=ROWS_AT_ONCE)
    with streaming.execute(statement) as result:  # also when not all of it is wanted
        yield from (dict(row) for row in result.mappings())
