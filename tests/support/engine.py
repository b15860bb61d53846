"""Engines for tests: in this process on a real port, or in a process of their own to be killed."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
import yaml

from api.app import create_app
from infra.bootstrap import Engine, engine
from infra.http_server import server_config
from infra.settings import Settings, load_settings
from tests.support.client import Account, Client, client
from tests.support.scripted_provider import ScriptedProvider

ADMIN_KEY = "gw_test_administrator_of_the_tests"
START_SECONDS = 20
LISTENING = re.compile(r"listening on (http://\S+)")


def configuration(upstream: str, **changes: Any) -> dict[str, Any]:
    """Two models at an OpenAI-compatible upstream; 1 and 2 USD per million tokens.

    `changes` are of the settings; `more_providers` and `more_models` are added to ours.
    """
    offer = {"provider": "h1", "native_id": "alpha", "input": "1.00", "output": "2.00"}
    chat = {"context_length": 131_072, "max_output_tokens": 4096, "offers": [offer]}
    embedding = {"kind": "embedding", "offers": [{**offer, "native_id": "embed"}]}
    more_providers = changes.pop("more_providers", {})
    more_models = changes.pop("more_models", {})
    return {
        "providers": {
            "h1": {"protocol": "openai-chat", "base_url": upstream},
            **more_providers,
        },
        "models": {"acme/alpha": chat, "acme/embed": embedding, **more_models},
        "aliases": {"alpha": "acme/alpha", "embed": "acme/embed"},
        "webhooks": {"allow_private_targets": True, "retry_schedule": [0.2, 0.5, 1, 2, 4, 8]},
        "storage": {"durability": "process"},
        **changes,
    }


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class RunningEngine:
    """An engine in this process with its HTTP server."""

    settings: Settings
    engine: Engine
    upstream: ScriptedProvider
    admin: Client

    @property
    def head(self) -> int:
        """The last position of the log."""
        return self.engine.ports.source.head()

    async def account(self, credit_usd: str | None = "10.00") -> Account:
        """An account with credit."""
        return await self.admin.account(credit_usd)


@asynccontextmanager
async def running_engine(folder: Path, **changes: Any) -> AsyncIterator[RunningEngine]:
    """Starts an engine on `folder` and a scripted upstream; drains and ends both."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(ScriptedProvider())
        settings = load_settings(
            None,
            data_dir=folder,
            bootstrap_admin_key=ADMIN_KEY,
            **configuration(upstream.base_url, **changes),
        )
        running = await stack.enter_async_context(engine(settings, print))
        base_url = await stack.enter_async_context(_served(running, settings))
        admin = await stack.enter_async_context(client(base_url, ADMIN_KEY))
        yield RunningEngine(settings, running, upstream, admin)


@asynccontextmanager
async def _served(running: Engine, settings: Settings) -> AsyncIterator[str]:
    config = server_config(
        create_app(running.ports), write_timeout=settings.http.write_timeout, ending_seconds=1
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


class EngineProcess:
    """`gatewayz serve` on a data directory that outlives it.

    `start` returns once it listens; `kill` is SIGKILL, `stop` SIGTERM. Everything it writes goes
    to `output_path`, over all its lives.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "data"
        self.output_path = folder / "output.log"
        self.config_path = folder / "gatewayz.yaml"
        self.config_path.write_text(yaml.safe_dump(dict(config)))
        self.base_url = ""
        self.starts = 0
        self._environment = {
            **os.environ,
            "GATEWAYZ_BOOTSTRAP_ADMIN_KEY": ADMIN_KEY,
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        return self.output_path.read_text() if self.output_path.exists() else ""

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Starts the process without waiting for it to listen."""
        command = [sys.executable, "-c", "from infra.main import app; app()", "serve"]
        with self.output_path.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "--config", self.config_path, "--data", self.data, "--port", "0"],
                stdout=output,
                stderr=output,
                env=self._environment,
            )
        self.starts += 1

    async def start(self) -> str:
        """Starts the process and returns its base URL."""
        offset = len(self.output)
        self.launch()
        deadline = time.monotonic() + START_SECONDS
        while (found := LISTENING.search(self.output[offset:])) is None:
            if not self.is_alive or time.monotonic() > deadline:
                raise RuntimeError(f"the engine did not start:\n{self.output[offset:]}")
            await asyncio.sleep(0.02)
        self.base_url = found.group(1)
        return self.base_url

    def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def stop(self, timeout: float = 40) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait, timeout)


@asynccontextmanager
async def engine_process(
    folder: Path, config: Mapping[str, Any], **environment: str
) -> AsyncIterator[EngineProcess]:
    """A started engine process that is gone afterwards."""
    process = EngineProcess(folder, config, environment=environment)
    try:
        await process.start()
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
