"""Engine processes forked from one that has imported everything, to be killed by the hundred.

A fresh interpreter spends most of a second on imports; a fork of a prepared one spends none and
is a process like any other to SIGKILL, to file locks and to the engine.
"""

import asyncio
import multiprocessing
import os
from pathlib import Path

import uvloop

from infra.bootstrap import engine
from infra.serve import serve
from infra.settings import load_settings
from tests.support.engine import ADMIN_KEY, EngineProcess

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


class ForkedEngine(EngineProcess):
    """`EngineProcess` with a quick start."""

    _child: multiprocessing.context.ForkServerProcess | None = None

    @property
    def is_alive(self) -> bool:
        return self._child is not None and self._child.is_alive()

    def launch(self) -> None:
        self._child = _context.Process(
            target=_serve, args=(self.config_path, self.data, self.output_path), daemon=True
        )
        self._child.start()
        self.starts += 1

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.join()

    async def stop(self, timeout: float = 40) -> int:
        assert self._child is not None
        self._child.terminate()
        await asyncio.to_thread(self._child.join, timeout)
        assert self._child.exitcode is not None, "the engine did not end"
        return self._child.exitcode


def _serve(config: Path, data: Path, output: Path) -> None:
    with output.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    settings = load_settings(config, data_dir=data, port=0, bootstrap_admin_key=ADMIN_KEY)
    uvloop.run(serve(settings, lambda: engine(settings, print), _announce))


def _announce(url: str) -> None:
    print(f"listening on {url}", flush=True)
