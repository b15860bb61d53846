"""The first start: the administrator's key is told, whatever happens."""

import socket
import subprocess
import sys
from pathlib import Path

from tests.support.client import client
from tests.support.engine import engine_process

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
