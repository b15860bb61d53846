"""`gatewayz serve`: the engine and its HTTP server in one process, until a signal ends it."""

import asyncio
import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from api.app import create_app
from infra.bootstrap import Engine, engine
from infra.logs import configure_logs
from infra.settings import Settings

# Open connections (long polls, live timelines) get this long at a shutdown.
CLOSE_SECONDS = 5


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the engine ends in its own order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    @property
    def port(self) -> int:
        """The port listened on."""
        port: int = self.servers[0].sockets[0].getsockname()[1]
        return port


def _server(app: ASGIApp, settings: Settings) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            loop="none",
            http="httptools",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            backlog=4096,
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )
    )


async def serve(settings: Settings, announce: Callable[[Engine, str], None]) -> None:
    """Serves until SIGTERM or SIGINT, then drains. `announce` gets the base URL once ready.

    Raises what ended the engine when one of its parts failed, and `OSError` when the address
    cannot be bound.
    """
    configure_logs(settings)
    async with engine(settings) as running:
        server = _server(create_app(running.ports), settings)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _ask_to_end, server)
        serving = asyncio.create_task(_started(server))
        await _until_started(server, serving)
        # What lives now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        announce(running, f"http://{settings.host}:{server.port}")
        await asyncio.wait({serving, running.failed}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    if running.failed.done():
        running.failed.result()


async def _started(server: _Server) -> None:
    try:
        await server.serve()
    except SystemExit as error:  # how uvicorn says that it could not bind
        raise OSError("the address could not be bound; is it in use?") from error


async def _until_started(server: _Server, serving: asyncio.Task[None]) -> None:
    while not server.started:
        if serving.done():
            serving.result()
            raise OSError("the server ended before it started")
        await asyncio.sleep(0.005)


def _ask_to_end(server: _Server) -> None:
    server.should_exit = True
