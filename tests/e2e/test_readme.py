"""The README's examples, run as they stand."""

import asyncio
import os
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.test_cli import invoke
from tests.support.client import Client, client
from tests.support.engine import EngineProcess, engine_process

README = Path(__file__).parents[2] / "README.md"
ADDRESS = "http://127.0.0.1:8080"
RECEIVER_PORT = "9000"
ADMIN_KEY = "gw_live_choose_at_least_20_characters"
BLOCK = re.compile(r"<!-- (?P<mark>(?:runs|checks)[^>]*) -->\n```\w+\n(?P<code>.*?)```", re.DOTALL)


def blocks(mark: str) -> list[str]:
    """The examples that bear this mark."""
    found = [m["code"] for m in BLOCK.finditer(README.read_text("utf-8")) if m["mark"] == mark]
    assert found
    return found


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[EngineProcess]:
    """An engine as the README starts it, on a free port."""
    environment = {
        "GATEWAYZ_BOOTSTRAP_ADMIN_KEY": ADMIN_KEY,
        "GATEWAYZ_WEBHOOKS__ALLOW_PRIVATE_TARGETS": "true",
    }
    async with engine_process(tmp_path / "engine", {}, **environment) as process:
        yield process


@pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl", "jq"))), reason="needs bash, curl and jq"
)
async def test_the_tour_through_the_api_works(engine: EngineProcess) -> None:
    script = "".join(blocks("runs")).replace(ADDRESS, engine.base_url)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PATH": path},
    )
    out, err = (stream.decode() for stream in await process.communicate())
    assert process.returncode == 0, out + err
    for expected in (
        '"status": "succeeded"',
        "[simulated]",
        "event: inference.job.completed",
        '"dimension": "output"',
        '"type": "charge"',
        '"held_usd": "0.00"',
    ):
        assert expected in out


async def test_the_receiver_verifies_a_webhook(engine: EngineProcess, tmp_path: Path) -> None:
    port = _free_port()
    script = tmp_path / "receiver.py"
    script.write_text(blocks("runs: receiver.py")[0].replace(RECEIVER_PORT, str(port)))
    async with client(engine.base_url, ADMIN_KEY) as admin:
        account = await admin.account()
        secret = (await account.get("/v1/webhook_endpoints/default/secret")).json["key"]
        receiver = await asyncio.create_subprocess_exec(
            sys.executable,
            str(script),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "WEBHOOK_SECRET": secret},
        )
        try:
            await _listening(port)
            job_id = await _submitted(account, f"http://127.0.0.1:{port}/hook")
            assert receiver.stdout is not None
            line = await asyncio.wait_for(receiver.stdout.readline(), 30)
            job = await account.job(job_id)
        finally:
            receiver.kill()
            await receiver.wait()
    assert line.decode().split() == ["job.completed", job_id, job["cost_usd"]]


async def test_the_configuration_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "gatewayz.yaml"
    file.write_text(blocks("checks: gatewayz.yaml")[0])
    done = await invoke("check", "--config", str(file), ACME_KEY="secret")
    assert done.exit_code == 0, done.stderr
    assert {"acme", "local"} <= set(done.stdout.replace(",", " ").split())


def test_every_page_that_is_linked_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert len(local) > 5
    assert [link for link in local if not (README.parent / link).exists()] == []


async def _submitted(account: Client, url: str) -> str:
    body = {"model": "simulator/chat", "messages": [{"role": "user", "content": "Hi"}]}
    submission = {"endpoint": "/v1/chat/completions", "body": body, "webhook": {"url": url}}
    return await account.submit(submission)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _listening(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return await writer.wait_closed()
