"""The first start: the administrator's key is told, whatever happens; files are the owner's."""

import socket
import stat
import subprocess
import sys
from pathlib import Path

from tests.support.client import client
from tests.support.engine import ADMIN_KEY, engine_process

SHOWN = "administrator key (shown once): "


def serve(data: Path, port: int) -> subprocess.CompletedProcess[str]:
    """`gatewayz serve` on a port, until it ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "infra.cli", "serve", "--data", str(data), "--port", str(port)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_an_address_in_use_is_told_before_anything_is_written(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = serve(data, taken.getsockname()[1])
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert not data.exists()


async def test_the_key_that_the_first_start_shows_works(tmp_path: Path) -> None:
    async with engine_process(tmp_path, {}, GATEWAYZ_BOOTSTRAP_ADMIN_KEY="") as engine:
        key = next(line for line in engine.output.splitlines() if line.startswith(SHOWN))
        async with client(engine.base_url, key.removeprefix(SHOWN)) as admin:
            assert (await admin.get("/admin/accounts")).status == 200


async def test_what_the_engine_writes_is_for_its_owner_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    async with engine_process(tmp_path, {}) as engine:
        async with client(engine.base_url, ADMIN_KEY) as admin:
            await admin.account()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()}
    assert {"events.db", "events.db-wal", "read_models.db"} <= modes.keys()
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
