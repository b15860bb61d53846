"""`gatewayz demo`: the story told while it happens, and what came of it."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from domain.catalog.catalogue import InvalidCatalogue
from domain.errors import StoreUnavailable
from infra.cli.common import EXIT_REFUSED, EXIT_UNUSABLE, fail
from infra.client import Refused, Unreachable
from infra.demo.engine_process import EngineDidNotStart
from infra.demo.evidence import Report
from infra.demo.models import DemoModels, NoSuchModel, choose_models
from infra.demo.prompts import BUNDLED, PromptFileProblem, load_prompts
from infra.demo.run import DemoFailed, DemoOptions, run_demo
from infra.settings import SettingsProblem

SIMULATED_SECONDS = 45.0
# A real provider answers a dozen at once, some of them slowly.
REAL_SECONDS = 600.0


def play(
    prompts: Path | None, model: str | None, keep: Path | None, config: Path | None, as_json: bool
) -> None:
    """Plays the demo and ends the process with its exit code."""
    try:
        chosen, loaded = choose_models(config, model), load_prompts(prompts or BUNDLED)
    except (SettingsProblem, InvalidCatalogue, NoSuchModel, PromptFileProblem) as problem:
        fail(str(problem), EXIT_UNUSABLE)
    console = Console(stderr=as_json, quiet=as_json)
    _introduce(console, chosen, len(loaded))
    patience = SIMULATED_SECONDS if chosen.is_simulated else REAL_SECONDS
    try:
        with _work_directory(keep) as work, _Story(console, len(loaded)) as story:
            options = DemoOptions(work, config, loaded, chosen, patience)
            report = asyncio.run(run_demo(options, story))
    except EngineDidNotStart as error:
        fail(f"the engine did not start:\n{error}", EXIT_REFUSED)
    except (DemoFailed, Refused, StoreUnavailable, Unreachable) as error:
        fail(f"the demo failed: {error}", EXIT_REFUSED)
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        console.print(_rendered(report))
    if not report.holds:
        raise typer.Exit(EXIT_REFUSED)


@contextmanager
def _work_directory(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="gatewayz-demo-") as made:
            yield Path(made)
        return
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        fail(f"{keep} is not empty", EXIT_UNUSABLE)
    yield keep


def _introduce(console: Console, models: DemoModels, prompts: int) -> None:
    which = "the built-in simulator (no provider is configured)"
    if not models.is_simulated:
        which = f"real models; embeddings: {models.embedding}"
    asked = (f"{prompts} prompts", "bold"), " to ", (str(models.chat), "bold")
    console.print(Text.assemble(*asked, f": {which}"))


class _Story:
    """A progress bar, with what happens told above it."""

    def __init__(self, console: Console, total: int) -> None:
        self._progress = Progress(
            TextColumn("jobs done"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._progress.add_task("jobs", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        self._progress.console.print(Text(text, style="yellow"))

    def advance(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)


def _rendered(report: Report) -> Group:
    return Group("", _promises(report), _charge(report), _summary(report))


def _promises(report: Report) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "What must hold", "Found"):
        table.add_column(heading, overflow="fold")
    for finding in report.findings:
        sign = "[green]✓[/]" if finding.holds else "[red]✗[/]"
        table.add_row(sign, Text(finding.promise), Text(finding.found))
    return table


def _charge(report: Report) -> Panel:
    charge = report.charge
    lines = Table.grid(padding=(0, 2))
    for line in charge["lines"]:
        price = line["unit_price_usd_per_million"]
        lines.add_row(
            line["dimension"],
            f"{line['quantity']} tokens" if price else "",
            f"at {price} USD per million" if price else "",
            f"= {line['amount_usd']} USD",
        )
    attempts = ", ".join(f"{one['provider']} {one['outcome']}" for one in charge["attempts"])
    head = Text(f"{charge['job_id']} · {charge['model']} · attempts: {attempts}")
    prices = Text(f"prices: {charge['price_version']}")
    return Panel(Group(head, lines, prices), title="The dearest charge, explained", expand=False)


def _summary(report: Report) -> str:
    outcomes = ", ".join(f"{count} {status}" for status, count in report.outcomes.items())
    return (
        f"[bold]{report.jobs} jobs[/]: {outcomes}; {report.done_at_the_crash} were done at the "
        f"crash; {report.seconds} s in all; served by {report.provider}\n"
        f"[bold]bill[/]: {report.spent_usd} USD   [bold]log[/]: position {report.log_position}, "
        f"chain {report.log_head[:16]}…"
    )
