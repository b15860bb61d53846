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


def server_config(app: ASGIApp, *, write_timeout: float, ending_seconds: float) -> uvicorn.Config:
    """How the application is served; requests that run at the end get so long.

    A client that leaves what was written unread for `write_timeout` seconds counts as gone.
    """
    return uvicorn.Config(
        app,
        port=0,  # where no socket is given
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
    _unread = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # While reading pauses, the end of a connection is not noticed.
        self._other_end = Client(self.flow.resume_reading)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[CLIENT] = self._other_end  # type: ignore[literal-required]

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.cycle.response_complete:
            self._stop_watching()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # What is left of the last reply no pause tells of, were it the end of the connection.
        if self.transport.get_write_buffer_size():
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_watching()
        self._other_end.leave()

    def _watch(self) -> None:
        self._stop_watching()
        self._unread = self.transport.get_write_buffer_size()
        self._giving_up = self.loop.call_later(self.write_timeout, self._look)

    def _look(self) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread == self._unread:
            self._give_up()
        elif unread:  # it reads, however slowly
            self._watch()

    def _give_up(self) -> None:
        log.info("client.stopped_reading", client=self.client and self.client[0])
        # To close it would wait until the rest is read.
        self.transport.abort()

    def _stop_watching(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None


def _protocol(seconds: float) -> type[HttpToolsProtocol]:
    class Protocol(_Protocol):
        write_timeout = seconds

    return Protocol
