"""Halts a server whole, with the processes that it started, and lets it go on."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from infra.local.services import LocalServer


@contextmanager
def frozen(server: LocalServer) -> Iterator[None]:
    """SIGSTOP while it lasts: connections stay open, and nothing answers."""
    halted = list(_halted(psutil.Process(server.pid)))
    try:
        yield
    finally:
        for process in halted:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def _halted(root: psutil.Process) -> Iterator[psutil.Process]:
    # The root first: it starts no other meanwhile.
    root.suspend()
    yield root
    for process in root.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.suspend()
            yield process
