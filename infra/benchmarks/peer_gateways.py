"""Other gateways to be measured beside ours, installed once into the cache of the user.

The versions are fixed, so that a figure can be had again. LiteLLM: from 1.108.8 on a plain install
may not resolve, because a release's companion `litellm-proxy-extras` is published after it.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.benchmarks.subjects import HOST, SUBJECT_CORE, Subject
from infra.local.machine import free_port

LITELLM = "litellm[proxy]==1.108.7"
PORTKEY = "@portkey-ai/gateway@1.15.2"
INSTALL_SECONDS = 900
READY_SECONDS = 90
LITELLM_KEY = "sk-benchmark"


class PeerMissing(Exception):
    """The peer is not on this machine and could not be installed."""


@dataclass(frozen=True, slots=True)
class Peer:
    """How to call a running gateway: what it knows the model as, and its further headers."""

    name: str
    subject: Subject
    model: str
    headers: Mapping[str, str]


@contextlib.contextmanager
def litellm(upstream_port: int) -> Iterator[Peer]:
    """LiteLLM's proxy without a database, in the mode it advises for production."""
    home = _installed(LITELLM, _with_pip)
    with tempfile.TemporaryDirectory(prefix="gatewayz-peer-") as folder:
        config, port = Path(folder, "config.json"), free_port()
        config.write_text(json.dumps(_litellm_config(upstream_port)))
        command = [
            *(str(home / "bin" / "litellm"), "--config", str(config), "--num_workers", "1"),
            *("--host", HOST, "--port", str(port)),
        ]
        environment = {
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "NO_DOCS": "True",
        }
        with _started(command, port, "/health/liveliness", environment) as pid:
            yield Peer(LITELLM, Subject(pid, port, LITELLM_KEY), "bench/chat", {})


def _litellm_config(upstream_port: int) -> Mapping[str, object]:
    # The price of our own offer, so that it counts costs as well.
    upstream = {
        "model": "openai/mock",
        "api_base": f"http://{HOST}:{upstream_port}/v1",
        "api_key": "none",
        "input_cost_per_token": 0.000001,
        "output_cost_per_token": 0.000002,
    }
    return {
        "model_list": [{"model_name": "bench/chat", "litellm_params": upstream}],
        "general_settings": {"master_key": LITELLM_KEY},
        "litellm_settings": {"telemetry": False, "request_timeout": 600},
    }


@contextlib.contextmanager
def portkey(upstream_port: int) -> Iterator[Peer]:
    """Portkey's open gateway, which keeps neither keys nor accounts."""
    home, port = _installed(PORTKEY, _with_npm), free_port()
    script = home / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    command = ["node", str(script), f"--port={port}", "--headless"]
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://{HOST}:{upstream_port}/v1",
    }
    with _started(command, port, "/", {"NODE_ENV": "production"}) as pid:
        yield Peer(PORTKEY, Subject(pid, port, "none"), "mock", headers)


def _with_pip(package: str, folder: Path) -> None:
    _run([sys.executable, "-m", "venv", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run([*pip, "install", package])


def _with_npm(package: str, folder: Path) -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        raise PeerMissing("Node.js with npm is not installed")
    folder.mkdir(parents=True)
    flags = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error"]
    _run(["npm", "install", "--prefix", str(folder), *flags, package])


def _installed(package: str, install: Callable[[str, Path], None]) -> Path:
    """The folder of the package. Scripts of a virtual environment know where it was made, so it
    cannot be made elsewhere and moved: a mark is set when it is complete.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(f"{package} {sys.version}".encode()).hexdigest()[:12]
    folder = cache / "gatewayz" / f"peer-{name}"
    complete = folder / ".complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        print(f"installing {package} into {folder}", flush=True)
        install(package, folder)
        complete.touch()
    return folder


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise PeerMissing(f"{command[0]} did not end in {INSTALL_SECONDS} s") from late
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise PeerMissing("\n".join(lines[-5:]))


@contextlib.contextmanager
def _started(
    command: list[str], port: int, probe: str, environment: Mapping[str, str]
) -> Iterator[int]:
    """Runs a server on the core of the subjects until it answers; its process id."""
    with tempfile.TemporaryFile("w+") as output:
        running = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            preexec_fn=lambda: os.sched_setaffinity(0, {SUBJECT_CORE}),  # noqa: PLW1509 - no threads yet
        )
        try:
            if not _answers(running, f"http://{HOST}:{port}{probe}"):
                output.seek(0)
                raise PeerMissing(f"it did not start: {output.read()[-1000:]}")
            yield running.pid
        finally:
            running.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(10)
            running.kill()
            running.wait()


def _answers(running: "subprocess.Popen[bytes]", url: str) -> bool:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and running.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own address
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.2)
    return False
