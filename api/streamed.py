"""A streamed answer on its way to its client."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.answers import EVENT_STREAM, JOB_ID, STREAM_HEADERS, serving_headers, whole_stream
from api.client import Client
from api.frames import frames, last_frame, part, sign_of_life
from api.wire_errors import error_body
from domain.dialects.surface import Delta, Head, Outgoing, TellsFailure
from domain.dialects.surfaces import SURFACES
from domain.inference.events import Failure, JobAccepted, JobCompleted, OfferRef
from domain.inference.serving import served
from domain.inference.view import failure_told
from domain.ports.interactive import Attached, RunLost

# Nothing in it says that nothing came for a while.
Batch = Sequence[tuple[OfferRef, Delta]]


@dataclass(frozen=True, slots=True)
class Listener:
    """Who reads a stream: the request's id, and whether its key still opens the door."""

    request_id: str
    is_welcome: Callable[[], bool]
    client: Client


@dataclass(frozen=True, slots=True)
class Answering:
    """A request for a stream, and the run that answers it."""

    accepted: JobAccepted
    body: Mapping[str, Any]
    head: Head
    attached: Attached


class StreamedAnswer(StreamingResponse):
    """A response: events as they come, and the end once it is durable (promise P7).

    What was begun is `first`, the rest is in `deltas`. A stream that is opened because nothing came
    for a while tells nobody who serves it. A client that leaves is told to the run; one whose key
    has ended gets no more, as if it had left.
    """

    def __init__(
        self, answering: Answering, first: Batch, deltas: AsyncIterator[Batch], listener: Listener
    ) -> None:
        accepted = self._accepted = answering.accepted
        named = serving_headers(accepted, first[0][0]) if first else {JOB_ID: accepted.job_id}
        super().__init__((), 200, {**STREAM_HEADERS, **named}, EVENT_STREAM)
        self._answering = answering
        self._attached = answering.attached
        self._endpoint = accepted.endpoint
        self._outgoing: Outgoing | None = None
        self._first = first
        self._deltas = deltas
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            try:
                await self._send(send)
            except asyncio.CancelledError:  # by the server, which ends (`api/ending.py`)
                self._attached.cut_off()
                await send(part(self._error(RUN_LOST), last=True))
        finally:
            self._listener.client.forget(self._attached.left)
            self._attached.left()

    async def _send(self, send: Send) -> None:
        await send(part(self._shown(self._first)))
        async for batch in self._deltas:
            if not self._listener.is_welcome():
                self._attached.left()
                await send(part(self._error(KEY_ENDED), last=True))
                return
            shown = self._shown(batch)
            if shown:
                await send(part(shown))
        await send(part(await self._end(), last=True))

    def _shown(self, batch: Batch) -> bytes:
        if not batch:
            return sign_of_life(self._endpoint)
        outgoing, told = self._outgoing, list[Delta]()
        if outgoing is None:
            outgoing = self._begun(served(self._accepted, batch[0][0]).model)
            told.extend(outgoing.opening())
        for _, delta in batch:
            told.extend(outgoing.shown(delta))
        return frames(self._endpoint, told)

    def _begun(self, model: str) -> Outgoing:
        surface, head = SURFACES[self._endpoint], replace(self._answering.head, model=model)
        self._outgoing = surface.outgoing(self._answering.body, head)
        return self._outgoing

    async def _end(self) -> bytes:
        try:
            ended = await self._attached.ended()
        except RunLost:
            return self._error(RUN_LOST)
        except Exception:  # noqa: BLE001 - told in the log by the run; a client is told its end
            return self._error(CRASHED)
        if not isinstance(ended.event, JobCompleted):
            return self._error(failure_told(ended.event))
        if self._outgoing is None:  # it came whole
            answering = self._answering
            return whole_stream(
                self._accepted, ended.event, answering.body, answering.head, ended.body
            )
        closing = self._outgoing.closing(ended.event.usage)
        return frames(self._endpoint, closing) + last_frame(self._endpoint)

    def _error(self, failure: Failure) -> bytes:
        outgoing, told = self._outgoing, list[Delta]()
        if outgoing is None:
            outgoing = self._begun(self._accepted.model)
            told.extend(outgoing.opening())
        if isinstance(outgoing, TellsFailure):
            told.extend(outgoing.failing(failure))
        else:
            error = {
                "code": failure.code,
                "message": failure.message,
                "param": None,
                "request_id": self._listener.request_id,
            }
            told.append(error_body(self._endpoint, failure.status_code, error))
        return frames(self._endpoint, told) + last_frame(self._endpoint)


RUN_LOST = Failure(
    code="node_lost", message="the request was lost here before it ended", status_code=503
)
KEY_ENDED = Failure(code="api_key_revoked", message="this API key has ended", status_code=401)
CRASHED = Failure(
    code="internal_error", message="something went wrong here; it was recorded", status_code=500
)
