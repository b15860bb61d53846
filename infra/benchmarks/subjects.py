"""What benchmarks run against: an engine, a bare server and a mock provider, each on one core."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.benchmarks.http_load import whole_request

ADMIN_KEY = "gw_live_benchmark_administrator"
HOST = "127.0.0.1"
CORES = sorted(os.sched_getaffinity(0))
# The subject has a core of its own; the load and the mock provider share the other.
SUBJECT_CORE, LOAD_CORE = CORES[0], CORES[-1]


@dataclass(frozen=True, slots=True)
class Subject:
    """A server process; `key` is a customer's key with credit.

    `start_seconds`: from its start until it said where it listens.
    """

    pid: int
    port: int
    key: str = ""
    start_seconds: float = 0.0

    @property
    def cpu_seconds(self) -> float:
        """CPU time that the process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks = int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    @property
    def memory_mb(self) -> float:
        """Resident memory in MiB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def pin_load() -> None:
    """Puts this process, the load generator, on its core."""
    os.sched_setaffinity(0, {LOAD_CORE})


@contextlib.contextmanager
def process(
    arguments: list[str], cores: Collection[int], **environment: str
) -> Iterator[tuple[int, int]]:
    """Runs a server that prints its URL, on these cores; gives its process id and port."""
    running = subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        preexec_fn=lambda: os.sched_setaffinity(0, cores),  # noqa: PLW1509 - no threads yet
    )
    try:
        yield running.pid, _port_of(running)
    finally:
        running.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(15)
        running.kill()
        running.wait()
        if running.stdout is not None:
            running.stdout.close()


def _port_of(running: "subprocess.Popen[str]") -> int:
    for line in running.stdout or ():
        if found := re.search(r"http://[^:]+:(\d+)", line):
            return int(found[1])
    raise RuntimeError("the server ended before it said where it listens")


@contextlib.contextmanager
def data_folder() -> Iterator[Path]:
    """A folder for one engine's configuration and data, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="gatewayz-bench-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def gateway(
    folder: Path, upstream_port: int | None = None, **environment: str
) -> Iterator[Subject]:
    """An engine on `folder`, pinned to the subject core, with default settings.

    With `upstream_port` it has the model `bench/chat` at the mock provider.
    """
    config = folder / "gatewayz.yaml"
    config.write_text(json.dumps(_config(upstream_port)))
    command = [
        *(sys.executable, "-m", "infra.main", "serve", "--config", str(config)),
        *("--data", str(folder / "data"), "--port", "0"),
    ]
    environment |= {"GATEWAYZ_BOOTSTRAP_ADMIN_KEY": ADMIN_KEY}
    started = time.perf_counter()
    with process(command, {SUBJECT_CORE}, **environment) as (pid, port):
        ready = time.perf_counter() - started
        yield Subject(pid, port, customer(port), ready)


def _config(upstream_port: int | None) -> dict[str, object]:
    if upstream_port is None:
        return {}
    offer = {"provider": "mock", "native_id": "mock", "input": "1.00", "output": "2.00"}
    return {
        "providers": {"mock": {"base_url": f"http://{HOST}:{upstream_port}/v1"}},
        "models": {"bench/chat": {"max_output_tokens": 4096, "offers": [offer]}},
    }


def customer(port: int, credit_usd: str = "100000.00") -> str:
    """A new account's key, with credit."""
    opened = call(port, "/admin/accounts", {"name": "bench"})
    credit = {"amount_usd": credit_usd, "reason": "benchmark"}
    call(port, f"/admin/accounts/{opened['account']['id']}/credits", credit)
    key: str = opened["api_key"]
    return key


def call(
    port: int, path: str, body: Mapping[str, object] | None = None, key: str = ADMIN_KEY
) -> dict:  # type: ignore[type-arg]
    """One JSON request outside of what is measured."""
    request = urllib.request.Request(
        f"http://{HOST}:{port}{path}",
        None if body is None else json.dumps(body).encode(),
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
        answer: dict = json.load(reply)  # type: ignore[type-arg]
        return answer


PROMPT = "Explain in plain words what an event-sourced ledger is. " * 14


def job_body(model: str, max_tokens: int = 200) -> bytes:
    """A submission of about one kilobyte."""
    return json.dumps(
        {
            "endpoint": "/v1/chat/completions",
            "body": {
                "model": model,
                "max_tokens": max_tokens,
                "messages": [
                    {"role": "system", "content": "You are a helpful assistant."},
                    {"role": "user", "content": PROMPT},
                ],
            },
            "metadata": {"run": "bench"},
        }
    ).encode()


ANSWER = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1,
        "model": "mock",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "A ledger of events. " * 20},
            }
        ],
        "usage": {"prompt_tokens": 210, "completion_tokens": 100, "total_tokens": 310},
    }
).encode()


class _MockProvider(asyncio.Protocol):
    """Answers every POST with `ANSWER` after the delay."""

    delay = 0.05

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while found := whole_request(self._buffer):
            self._buffer = found[1]
            asyncio.get_running_loop().call_later(self.delay, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
                + str(len(ANSWER)).encode()
                + b"\r\n\r\n"
                + ANSWER
            )


async def start_mock_provider(delay: float) -> int:
    """Starts the mock provider in this process; its port."""
    _MockProvider.delay = delay
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_MockProvider, HOST, 0, backlog=4096)
    port: int = server.sockets[0].getsockname()[1]
    return port


BARE_SERVER = """
import asyncio, msgspec, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
async def accept(request):
    body = msgspec.json.decode(await request.body())
    return Response(msgspec.json.encode(body), 202, media_type="application/json")
app = Starlette(routes=[Route("/v1/jobs", accept, methods=["POST"])])
class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}", flush=True)
config = uvicorn.Config(app, port=0, http="httptools", access_log=False, log_config=None)
Server(config).run()
"""


@contextlib.contextmanager
def bare_server() -> Iterator[Subject]:
    """The same web stack that parses and echoes and records nothing: the limit of the stack."""
    with process([sys.executable, "-c", BARE_SERVER], {SUBJECT_CORE}) as (pid, port):
        yield Subject(pid, port)
