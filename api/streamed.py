"""A streamed answer on its way to its client."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.answers import EVENT_STREAM
from api.frames import frames, last_frame
from api.wire_errors import error_body
from domain.dialects.surface import Delta, Outgoing, TellsFailure
from domain.inference.events import Endpoint, Failure, JobCompleted, OfferRef
from domain.inference.view import failure_told
from domain.ports.interactive import Attached, RunLost

Batch = Sequence[tuple[OfferRef, Delta]]


@dataclass(frozen=True, slots=True)
class Listener:
    """Who reads a stream: the request's id, and whether its key still opens the door."""

    request_id: str
    is_welcome: Callable[[], bool]


class StreamedAnswer(StreamingResponse):
    """A response: events as they come, and the end once it is durable (promise P7).

    What was begun is `first`, the rest is in `deltas`. A client that leaves is told to the run; one
    whose key has ended gets no more, as if it had left.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        outgoing: Outgoing,
        attached: Attached,
        first: Batch,
        deltas: AsyncIterator[Batch],
        headers: Mapping[str, str],
        listener: Listener,
    ) -> None:
        super().__init__((), 200, headers, EVENT_STREAM)
        self._endpoint = endpoint
        self._outgoing = outgoing
        self._attached = attached
        self._first = first
        self._deltas = deltas
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        watching = asyncio.create_task(until_left(receive, self._attached))
        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            try:
                await self._send(send)
            except asyncio.CancelledError:  # by the server, which ends (`api/ending.py`)
                self._attached.cut_off()
                await send(_part(self._error(RUN_LOST), last=True))
        finally:
            watching.cancel()

    async def _send(self, send: Send) -> None:
        opening = frames(self._endpoint, self._outgoing.opening())
        await send(_part(opening + self._shown(self._first)))
        async for batch in self._deltas:
            if not self._listener.is_welcome():
                self._attached.left()
                await send(_part(self._error(KEY_ENDED), last=True))
                return
            shown = self._shown(batch)
            if shown:
                await send(_part(shown))
        await send(_part(await self._end(), last=True))

    def _shown(self, batch: Batch) -> bytes:
        shown = (one for _, delta in batch for one in self._outgoing.shown(delta))
        return frames(self._endpoint, shown)

    async def _end(self) -> bytes:
        try:
            ended = await self._attached.ended()
        except RunLost:
            return self._error(RUN_LOST)
        except Exception:  # noqa: BLE001 - told in the log by the run; a client is told its end
            return self._error(CRASHED)
        if isinstance(ended.event, JobCompleted):
            closing = self._outgoing.closing(ended.event.usage)
            return frames(self._endpoint, closing) + last_frame(self._endpoint)
        return self._error(failure_told(ended.event))

    def _error(self, failure: Failure) -> bytes:
        if isinstance(self._outgoing, TellsFailure):
            failing = self._outgoing.failing(failure)
            return frames(self._endpoint, failing) + last_frame(self._endpoint)
        error = {
            "code": failure.code,
            "message": failure.message,
            "param": None,
            "request_id": self._listener.request_id,
        }
        body = error_body(self._endpoint, failure.status_code, error)
        return frames(self._endpoint, [body]) + last_frame(self._endpoint)


RUN_LOST = Failure(
    code="node_lost", message="the request was lost here before it ended", status_code=503
)
KEY_ENDED = Failure(code="api_key_revoked", message="this API key has ended", status_code=401)
CRASHED = Failure(
    code="internal_error", message="something went wrong here; it was recorded", status_code=500
)


async def until_left(receive: Receive, attached: Attached) -> None:
    """Tells the run when the client hangs up."""
    await until_gone(receive)
    attached.left()


async def until_gone(receive: Receive) -> None:
    """Returns when the client hangs up."""
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    except ClientDisconnect:
        pass


def _part(content: bytes, *, last: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": not last}
