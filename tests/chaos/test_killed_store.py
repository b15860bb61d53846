"""An acknowledged append outlives the process, however it ends."""

import subprocess
import sys
from pathlib import Path
from typing import IO

from tests.support.stores import opened_store

LIVES = 3


def acknowledged(output: IO[bytes], least: int) -> list[str]:
    """The first lines that the process wrote."""
    return [output.readline().decode().strip() for _ in range(least)]


def live_and_die(path: Path) -> list[str]:
    """Lets a process append and kills it in the middle; what it said was durable."""
    command = [sys.executable, "-m", "tests.support.appending", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = acknowledged(process.stdout, 200)
        process.kill()
        lines += [line.decode().strip() for line in process.stdout if line.endswith(b"\n")]
    return lines


async def test_every_acknowledged_append_is_there_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    promised = {line for _ in range(LIVES) for line in live_and_die(path)}
    async with opened_store(path) as store:
        log = await store.read_log(0, 1_000_000)
    kept = {f"{entry.position} {entry.stream}" for entry in log}
    assert promised - kept == set()
    assert [entry.position for entry in log] == list(range(1, len(log) + 1))
