"""Whether every request that was answered has its charge, read beside the engine."""

import sqlite3
from contextlib import closing
from pathlib import Path

COUNTS = """
SELECT
    SUM(topic GLOB 'inference.job.accepted@*'),
    SUM(topic GLOB 'inference.job.completed@*'),
    COUNT(DISTINCT CASE WHEN topic GLOB 'billing.charge.recorded@*'
                        THEN json_extract(state, '$.data.job_id') END),
    (SELECT COUNT(*) FROM holds)
FROM stored_events
"""


def require_charges(folder: Path, answered: int) -> None:
    """Prints that each of the requests has one. Raises `AssertionError` when it is not so."""
    path = f"file:{folder}/data/events.db?mode=ro"
    with closing(sqlite3.connect(path, uri=True)) as database:
        accepted, completed, charged, held = database.execute(COUNTS).fetchone()
    print(f"{answered} answered: {charged} charged, {accepted - completed} open, {held} holds left")
    assert answered == accepted == completed == charged, "requests without their charge"
    assert held == 0, "holds that nothing released"
