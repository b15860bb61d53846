"""What a commit costs beside a busy event loop: `executemany` against multi-row statements.

Run: `python -m infra.benchmarks.interpreter_lock`, on a machine with nothing else to do. One
thread runs an event loop that always has work; another inserts and commits 200 rows, again and
again. Every call into SQLite gives the interpreter lock up; when the other thread is awake soon
enough to take it, getting it back costs up to one switch interval. Decision 0002.
"""

import asyncio
import json
import random
import sqlite3
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.sqlite.rows import insert_rows
from adapters.sqlite.schema import STATEMENTS

ROWS = 200
ROUNDS = 50
SWITCH_INTERVALS = (0.005, 0.001, 0.0005, 0.0002)
DOCUMENT = {"messages": [{"role": "user", "content": "Say hello."}] * 5}
Row = tuple[int, str, int, str, bytes]
Insert = Callable[[sqlite3.Cursor, list[Row]], object]


def one_call_a_row(cursor: sqlite3.Cursor, rows: list[Row]) -> None:
    """A call into SQLite for each row."""
    cursor.executemany("INSERT INTO stored_events VALUES (?, ?, ?, ?, ?)", rows)


def few_statements(cursor: sqlite3.Cursor, rows: list[Row]) -> None:
    """What the event store does."""
    insert_rows(cursor, "INSERT INTO stored_events", 5, rows)  # type: ignore[arg-type]


INSERTS: tuple[Insert, ...] = (one_call_a_row, few_statements)


@contextmanager
def busy_event_loop(wanted: bool) -> Iterator[None]:
    """A thread with an event loop that always has something to do."""
    stop = threading.Event()

    async def chatter() -> None:
        while not stop.is_set():
            await asyncio.sleep(0)
            json.loads(json.dumps(DOCUMENT))

    async def work() -> None:
        await asyncio.gather(*(chatter() for _ in range(20)))

    thread = threading.Thread(target=lambda: asyncio.run(work()), daemon=True)
    if wanted:
        thread.start()
        time.sleep(0.1)
    try:
        yield
    finally:
        stop.set()
        if wanted:
            thread.join()


def milliseconds(beside: bool) -> list[list[float]]:
    """The time of each transaction, for each way; turn by turn, so that both see the same load."""
    times: list[list[float]] = [[] for _ in INSERTS]
    with TemporaryDirectory() as folder, closing(_opened(Path(folder))) as connection:
        cursor = connection.cursor()
        with busy_event_loop(beside):
            for turn in range(ROUNDS * len(INSERTS)):
                way = turn % len(INSERTS)
                rows = _rows(turn * ROWS)
                begun = time.perf_counter()
                cursor.execute("BEGIN")
                INSERTS[way](cursor, rows)
                cursor.execute("COMMIT")
                times[way].append((time.perf_counter() - begun) * 1000)
    return times


def _rows(first: int) -> list[Row]:
    return [
        (
            first + number + 1,
            f"job_{random.getrandbits(128):032x}",
            1,
            "job.accepted@1",
            bytes(1200),
        )
        for number in range(ROWS)
    ]


def _opened(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "bench.db", isolation_level=None)
    connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL")
    for statement in STATEMENTS:
        connection.execute(statement)
    return connection


def main() -> None:
    """Prints a table."""
    print(f"{ROWS} rows in one transaction, ms: median (mean)")
    print(f"{'switch interval':>16} {'executemany':>18} {'multi-row':>18}")
    for seconds in (None, *SWITCH_INTERVALS):
        sys.setswitchinterval(seconds or 0.005)
        label = "nobody beside" if seconds is None else f"{seconds * 1000:g} ms"
        cells = [_cell(times) for times in milliseconds(seconds is not None)]
        print(f"{label:>16} {cells[0]:>18} {cells[1]:>18}", flush=True)


def _cell(times: list[float]) -> str:
    return f"{statistics.median(times):.1f} ({statistics.mean(times):.1f})"


if __name__ == "__main__":
    main()
