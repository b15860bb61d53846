"""A data directory with a damaged file: one line that names it, and no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["events.db", "keys.db"])
def test_a_damaged_database_ends_the_start_with_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"this is no database, and long enough to be looked at" * 200)
    command = [sys.executable, "-m", "infra.main", "serve", "--data", str(tmp_path), "--port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert f"{tmp_path / name} cannot be opened" in ended.stderr
    assert "Traceback" not in ended.stderr
