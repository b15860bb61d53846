"""The read models of an engine, shown, rebuilt from the log and proved."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TypeVar

import typer

from domain.errors import StoreUnavailable
from domain.ports.read_models import Difference, Generation, ReadModelUnavailable
from infra.cli.common import EXIT_REFUSED, EXIT_UNUSABLE, fail
from infra.cli.output import console, echo_json, progress_bar, show_list
from infra.offline import LogSource, open_read_models
from infra.proof import Proof, prove
from infra.settings import Settings
from projections.catalogue import PROJECTIONS
from projections.invariants import Violation
from workers.projector import Progress, ProjectionStatus, rebuild, status

KNOWN = tuple(projection.name for projection in PROJECTIONS)
COLUMNS = ("name", "version", "number", "state", "position", "lag", "error")
SHOWN = 10
T = TypeVar("T")


def show_status(settings: Settings, as_json: bool) -> None:
    """Shows every generation; exits 1 when one has stopped."""
    found = _run(_status(settings))
    rows = [{**asdict(one.generation), "head": one.head, "lag": one.lag} for one in found]
    show_list(as_json, rows, {name: name for name in COLUMNS})
    if any(one.generation.error for one in found):
        raise typer.Exit(EXIT_REFUSED)


def rebuild_and_show(
    settings: Settings, names: Sequence[str], source: LogSource | None, as_json: bool
) -> None:
    """Rebuilds the named read models, or all; exits 1 when one could not be built."""
    wanted = _known(names)
    _must_have(settings, source)
    with _progress() as progress:
        failed = _run(_rebuild(settings, wanted, source, progress))
    for generation in failed:
        typer.echo(f"{generation.name} stopped: {generation.error}", err=True)
    if failed:
        raise typer.Exit(EXIT_REFUSED)
    show_status(settings, as_json)


def verify_and_show(
    settings: Settings, names: Sequence[str], source: LogSource | None, as_json: bool
) -> None:
    """Proves the named read models, or all, and the log; exits 1 when anything is wrong."""
    wanted = _known(names)
    _must_have(settings, source)
    with _progress() as progress:
        proof = _run(prove(settings, wanted, progress, source=source))
    if as_json:
        echo_json({**asdict(proof), "holds": proof.holds})
    else:
        _explain(proof, wanted)
    if not proof.holds:
        raise typer.Exit(EXIT_REFUSED)


def _known(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if name not in KNOWN:
            fail(f"there is no read model {name!r}; there are {', '.join(KNOWN)}", EXIT_UNUSABLE)
    return names or KNOWN


def _must_have(settings: Settings, source: LogSource | None) -> None:
    if source == "kafka" and settings.profile == "embedded":
        fail("the embedded profile has no Kafka: its log is the event store", EXIT_UNUSABLE)


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (StoreUnavailable, ReadModelUnavailable) as error:
        fail(str(error), EXIT_UNUSABLE)


@contextmanager
def _progress() -> Iterator[Progress]:
    with progress_bar("events") as bar:
        task = bar.add_task("")
        yield lambda done, total: bar.update(task, completed=done, total=total)


async def _status(settings: Settings) -> Sequence[ProjectionStatus]:
    # The event store knows how far the log goes, also while Kafka is away.
    async with open_read_models(settings, "store") as offline:
        return await status(offline.read_models, offline.log)


async def _rebuild(
    settings: Settings, names: Sequence[str], source: LogSource | None, progress: Progress
) -> Sequence[Generation]:
    async with open_read_models(settings, source) as offline:
        read_models, log = offline.read_models, offline.log
        return await rebuild(read_models, offline.replayed, names, progress, log.read_log)


def _explain(proof: Proof, names: Sequence[str]) -> None:
    out = console()
    if proof.holds:
        out.print(f"{', '.join(names)}: equal to a replay of the log up to {proof.position}")
        out.print("wallets equal the ledger; every job ends once and is charged as rated")
    for difference in proof.differences[:SHOWN]:
        out.print(_difference(difference), markup=False)
    for violation in proof.violations[:SHOWN]:
        out.print(_violation(violation), markup=False)


def _difference(one: Difference) -> str:
    live, replayed = one.live or {}, one.replayed or {}
    names = [name for name in {**live, **replayed} if live.get(name) != replayed.get(name)]
    changes = ", ".join(f"{n}: {live.get(n)!r}, replayed {replayed.get(n)!r}" for n in names)
    key = "/".join(str(part) for part in one.key)
    return f"{one.projection}: {one.table} {key}: {changes}"


def _violation(one: Violation) -> str:
    return f"{one.rule}: {one.subject}: {one.detail}"
