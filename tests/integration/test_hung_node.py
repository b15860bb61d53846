"""A node that cannot end, because something it has waits for a service that hangs."""

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp

from infra.serve import CLOSE_SECONDS, EXIT_HUNG, serve
from infra.settings import load_settings

PATIENCE_SECONDS = 0.5
START_SECONDS = 30

_context = multiprocessing.get_context("forkserver")


@dataclass
class HungNode:
    """Serves nothing, and fails at nothing."""

    app: ASGIApp = field(default_factory=Starlette)
    failed: asyncio.Future[None] = field(default_factory=asyncio.Future)


@asynccontextmanager
async def hung_node() -> AsyncIterator[HungNode]:
    yield HungNode()
    await asyncio.to_thread(time.sleep, 3600)


def run(folder: Path) -> None:
    settings = load_settings(None, data_dir=folder, port=0, dispatch={"drain_timeout": 0})
    asyncio.run(
        serve(settings, hung_node, lambda _: (folder / "announced").touch(), PATIENCE_SECONDS)
    )


def test_it_is_ended_all_the_same(tmp_path: Path) -> None:
    process = _context.Process(target=run, args=(tmp_path,))
    process.start()
    deadline = time.monotonic() + START_SECONDS
    while not (tmp_path / "announced").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    asked_at = time.monotonic()
    process.terminate()
    process.join(CLOSE_SECONDS + PATIENCE_SECONDS + 5)
    assert process.exitcode == EXIT_HUNG
    assert time.monotonic() - asked_at >= CLOSE_SECONDS + PATIENCE_SECONDS
