"""What the machine gives: free ports, programs, OS users, folders and process trees."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below what Linux gives to outgoing connections: a port must still be free at the next start.
PORTS = range(18_000, 32_000)
PROCESSES = Path("/proc")
POLL_SECONDS = 0.005


def free_port() -> int:
    """A port of the loopback interface on which nothing listens."""
    while True:
        port = random.choice(PORTS)  # noqa: S311 - no secret
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
        return True
    return False


def program(name: str) -> str:
    """The full path of a program. Raises `FileNotFoundError`."""
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(name)
    return found


def unprivileged_user() -> pwd.struct_passwd | None:
    """Who runs a server that refuses root; `None` unless this process is root."""
    if os.getuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that every OS user can enter, removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="gatewayz-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not (answer := true()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return answer


def kill_tree(pid: int) -> None:
    """SIGKILL for a process and all that descend from it; returns when none runs any more.

    Each is halted first: none can start another, or react to a death, while the rest is found.
    """
    tree = [pid]
    for member in tree:
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGSTOP)
        tree += _children(member)
    for member in tree:
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)
    wait_until(lambda: not any(_runs(member) for member in tree), 10)


def _children(pid: int) -> list[int]:
    if not PROCESSES.is_dir():
        command = (program("pgrep"), "-P", str(pid))
        listed = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        return [int(child) for child in listed.stdout.split()]
    return [child for child in _all_processes() if _status(child)[1] == pid]


def _runs(pid: int) -> bool:
    if not PROCESSES.is_dir():
        return False
    return _status(pid)[0] not in {"", "Z", "X"}


def _all_processes() -> list[int]:
    return [int(entry.name) for entry in PROCESSES.iterdir() if entry.name.isdigit()]


def _status(pid: int) -> tuple[str, int]:
    """State and parent of a process; nothing and 0 once it is gone."""
    try:
        text = (PROCESSES / str(pid) / "stat").read_text("utf-8", errors="replace")
    except OSError:
        return "", 0
    state, parent = text.rpartition(")")[2].split()[:2]
    return state, int(parent)
