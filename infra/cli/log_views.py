"""The event log, shown as it grows or a part of it, and exported."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console
from rich.text import Text

from domain.errors import StoreUnavailable
from domain.ports.stored_rows import StoredRow, StoredRows
from infra.cli.common import EXIT_UNUSABLE, fail
from infra.cli.output import console, echo_json, progress_bar, time_of
from infra.export import Chain, export_log
from infra.log_range import LogRange, point_of, range_of, time_in
from infra.offline import LogSource, open_log, open_partitions, open_rows
from infra.settings import Settings

POLL_SECONDS = 0.25
ROWS_AT_ONCE = 500


def show_tail(settings: Settings, lines: int, follow: bool, as_json: bool) -> None:
    """Shows the last events, and new ones as they come when told to follow."""
    with suppress(KeyboardInterrupt), _telling(), open_log(settings) as reader:
        position = max(0, reader.last() - lines)
        while True:
            rows = reader.rows(position, ROWS_AT_ONCE)
            _print_rows(rows, as_json)
            position = rows[-1].position if rows else position
            if not rows and not follow:
                return
            if not rows:
                time.sleep(POLL_SECONDS)


def replay_and_show(
    settings: Settings, begin: str | None, end: str | None, source: LogSource | None, as_json: bool
) -> None:
    """Shows the events of a range."""
    _must_have(settings, source)
    with _telling(), open_rows(settings, source) as rows:
        for page in _pages(rows, _range(rows, begin, end)):
            _print_rows(page, as_json)


def export_to(
    settings: Settings, output: Path, begin: str | None, end: str | None, source: LogSource | None
) -> Chain:
    """Writes the events of a range to a file; the end of their chain."""
    _must_have(settings, source)
    with _telling(), open_rows(settings, source) as rows:
        part = _range(rows, begin, end)
        with output.open("wb") as file, progress_bar("events") as bar:
            task = bar.add_task("")
            return export_log(
                rows,
                file,
                lambda done, total: bar.update(task, completed=done, total=total),
                part.after,
                part.last,
            )


def show_partition(settings: Settings, name: str, offset: int, as_json: bool) -> None:
    """Shows what one partition of Kafka, named `<topic>-<number>`, holds from an offset on."""
    from adapters.kafka.rows import NoSuchPartition

    topic, _, number = name.rpartition("-")
    if not (topic and number.isdecimal()):
        fail(f"{name!r} names no partition: write it as billing-3", EXIT_UNUSABLE)
    _must_have(settings, "kafka")
    out = console()
    with _telling(), open_partitions(settings) as rows:
        try:
            for placed in rows.partition(topic, int(number), offset):
                _print_row(out, placed.row, as_json, offset=placed.offset)
        except NoSuchPartition as error:
            fail(str(error), EXIT_UNUSABLE)


def _pages(rows: StoredRows, part: LogRange) -> Iterator[list[StoredRow]]:
    position = part.after
    while position < part.last:
        if page := list(rows.rows(position, min(ROWS_AT_ONCE, part.last - position))):
            yield page
            position = page[-1].position


def _range(rows: StoredRows, begin: str | None, end: str | None) -> LogRange:
    try:
        first, last = (None if text is None else point_of(text) for text in (begin, end))
    except ValueError as error:
        fail(str(error), EXIT_UNUSABLE)
    return range_of(rows, first, last)


def _must_have(settings: Settings, source: LogSource | None) -> None:
    if settings.profile == "embedded" and source == "kafka":
        fail("the embedded profile has no Kafka: its log is the event store", EXIT_UNUSABLE)
    if not structlog.is_configured():  # log lines are no output
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


@contextmanager
def _telling() -> Iterator[None]:
    """Says what could not be read or written."""
    try:
        yield
    except (StoreUnavailable, OSError) as error:
        fail(str(error), EXIT_UNUSABLE)


def _print_rows(rows: Iterable[StoredRow], as_json: bool) -> None:
    out = console()
    for row in rows:
        _print_row(out, row, as_json)


def _print_row(out: Console, row: StoredRow, as_json: bool, **more: Any) -> None:
    is_readable = time_in(row) is not None
    if as_json:
        state = row.state.decode(errors="backslashreplace")
        place = {**more, "position": row.position, "stream": row.stream, "version": row.version}
        content = {"envelope": json.loads(row.state)} if is_readable else {"unreadable": state}
        echo_json({**place, "type": row.topic, **content})
        return
    at, actor = "unreadable", ""
    if is_readable:
        envelope: dict[str, Any] = json.loads(row.state)
        at, actor = time_of(envelope["at"] / 1000), "/".join(envelope["actor"])
    lead = "".join(f"{value:>8}" for value in (*more.values(), row.position))
    rest = f"  {row.stream}  {actor}"
    out.print(Text.assemble(f"{lead}  {at:<19}  ", (row.topic, "bold"), rest))
