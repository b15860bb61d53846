"""The HTTP server under the application: uvicorn, which gives up clients that stop reading."""

from asyncio import TimerHandle, Transport
from math import ceil

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.client import CLIENT, Client

BACKLOG = 4096
# Longer than the 60 s for which load balancers keep a connection: one that we closed first could
# be just about to carry a request.
KEEP_ALIVE_SECONDS = 75

log = structlog.get_logger(__name__)


def server_config(
    app: ASGIApp, *, write_timeout: float, ending_seconds: float, port: int = 0
) -> uvicorn.Config:
    """How the application is served; requests that run at the end get so long.

    A client that leaves what was written unread for `write_timeout` seconds counts as gone.
    """
    return uvicorn.Config(
        app,
        port=port,
        loop="none",
        http=_protocol(write_timeout),
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=ceil(ending_seconds),
    )


class _Protocol(HttpToolsProtocol):
    """One connection. The transport says when it holds more than it should; the application
    is told when the client leaves.
    """

    write_timeout: float
    _giving_up: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # While reading pauses, the end of a connection is not noticed.
        self._other_end = Client(self.flow.resume_reading)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[CLIENT] = self._other_end  # type: ignore[literal-required]

    def pause_writing(self) -> None:
        super().pause_writing()
        self._giving_up = self.loop.call_later(self.write_timeout, self._give_up)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)
        self._other_end.leave()

    def timeout_keep_alive_handler(self) -> None:
        # The end of its last reply, which nobody has read since.
        if self.transport.get_write_buffer_size():
            self._give_up()
        else:
            super().timeout_keep_alive_handler()

    def _give_up(self) -> None:
        log.info("client.stopped_reading", client=self.client and self.client[0])
        # To close it would wait until the rest is read.
        self.transport.abort()

    def _stop_waiting(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None


def _protocol(seconds: float) -> type[HttpToolsProtocol]:
    class Protocol(_Protocol):
        write_timeout = seconds

    return Protocol
