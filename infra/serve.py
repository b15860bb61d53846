"""A node and its HTTP server in one process, until a signal ends it."""

import asyncio
import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from typing import Any, Protocol, runtime_checkable

import structlog
import uvicorn
from starlette.types import ASGIApp

from infra.http_server import BACKLOG, server_config
from infra.logs import configure_logs
from infra.settings import Settings

# What only waits (long polls, live timelines) gets this long at a shutdown; answers that are being
# made get the time that running jobs get beside it.
CLOSE_SECONDS = 5
# Beyond these and the time that running jobs get, whatever has not ended by then hangs.
PATIENCE_SECONDS = 35.0
# What the process ends with then.
EXIT_HUNG = 1
# Hundreds of requests at a time hold tens of thousands of objects that are no garbage: with the
# interpreter's own 700 a tenth of the time was spent on looking at them again and again.
COLLECTOR_THRESHOLDS = (20_000, 20, 100)

log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the engine ends in its own order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@runtime_checkable
class Waits(Protocol):
    """An application with requests that only wait."""

    def end_waits(self) -> None:
        """Cuts them off."""
        ...


class Node(Protocol):
    """What is served. `failed` ends when a part that must not end does."""

    @property
    def app(self) -> ASGIApp: ...

    @property
    def failed(self) -> asyncio.Future[None]: ...


Opened = AbstractAsyncContextManager[Node]


async def serve(
    settings: Settings,
    open_node: Callable[[], Opened],
    announce: Callable[[str], None],
    patience_seconds: float = PATIENCE_SECONDS,
) -> None:
    """Serves until SIGTERM or SIGINT, then drains. `announce` gets the base URL once ready.

    Raises what ended the node when one of its parts failed, and `OSError` when the address
    cannot be bound: before anything is written. A process that then does not come to its end,
    because a service hangs, is ended as if it were killed.
    """
    configure_logs(settings)
    drain_seconds = settings.dispatch.drain_timeout
    patience_seconds += CLOSE_SECONDS + 2 * drain_seconds
    with _bound(settings) as sockets:
        async with open_node() as running:
            app = running.app
            config = server_config(
                app,
                write_timeout=settings.http.write_timeout,
                ending_seconds=CLOSE_SECONDS + drain_seconds,
            )
            server = _Server(config)
            _end_on_signals(server, app, patience_seconds)
            serving = asyncio.create_task(server.serve(sockets))
            await _until_started(server, serving)
            # What lives now lives as long as the process: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*COLLECTOR_THRESHOLDS)
            announce(f"http://{settings.host}:{sockets[0].getsockname()[1]}")
            await asyncio.wait({serving, running.failed}, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            await serving
        if running.failed.done():
            running.failed.result()


@contextmanager
def _bound(settings: Settings) -> Iterator[list[socket.socket]]:
    """Sockets that listen on every address of the host: who connects now is answered later."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_server(address, family=family, backlog=BACKLOG))
            for family, address in _addresses(settings)
        ]


def _addresses(settings: Settings) -> list[tuple[socket.AddressFamily, Any]]:
    found = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return [(family, address) for family, _, _, _, address in found]


async def _until_started(server: _Server, serving: asyncio.Task[None]) -> None:
    while not server.started:
        if serving.done():
            serving.result()
            raise OSError("the server ended before it started")
        await asyncio.sleep(0.005)


def _end_on_signals(server: _Server, app: object, patience_seconds: float) -> None:
    loop = asyncio.get_running_loop()

    def ask_to_end() -> None:
        server.should_exit = True
        if isinstance(app, Waits):
            loop.call_later(CLOSE_SECONDS, app.end_waits)
        giving_up = threading.Timer(patience_seconds, _end_now)
        giving_up.daemon = True
        giving_up.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_end)


def _end_now() -> None:
    """Threads that wait for a database that hangs would keep the interpreter from ending."""
    log.error("node.hung")
    os._exit(EXIT_HUNG)
