"""A response in the background as a stream that can be left and taken up again at any number.

Its events come from the buffer that the run writes, on whichever node. The first two tell that it
waits and are made here; the last one is told once the end is durable. What the buffer does not
hold any more, or never did, is told by the response itself.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.answers import EVENT_STREAM, JOB_ID, STREAM_HEADERS
from api.auth import Caller, ports_of, require_still_valid
from api.errors import ending_response, failure_response
from api.frames import STILL_RUNNING, frames, part
from api.histories import KEY_CHECK_SECONDS, History, folded, history_of
from api.response_objects import asked_of, head_for, told
from api.wire_errors import error_event
from domain.dialects.responses.answers import OutgoingResponse, replayed
from domain.dialects.surface import Delta
from domain.errors import DomainError, StoreUnavailable
from domain.inference.events import Endpoint, JobCompleted
from domain.ports.payloads import PayloadErased
from domain.ports.stream_buffers import StreamGone

_ENDPOINT: Endpoint = "/v1/responses"
# Read from the buffer in one go.
_PAGE = 200
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class StreamedResponse(StreamingResponse):
    """The events after number `after` (-1 for all), to the end. A reader that leaves stops
    nothing.
    """

    def __init__(self, request: Request, caller: Caller, history: History, after: int) -> None:
        self._reader = _Reader(request, caller, history, after)
        headers = {**STREAM_HEADERS, JOB_ID: history[0].stream}
        super().__init__(self._reader.frames(), 200, headers, EVENT_STREAM)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:  # by the server, which ends (`api/ending.py`)
            await send(part(self._reader.cut_off(), last=True))


class _Reader:
    """One client that follows one response."""

    def __init__(self, request: Request, caller: Caller, history: History, after: int) -> None:
        self._request, self._caller = request, caller
        self._ports = ports_of(request)
        self._silence_seconds = self._ports.limits.stream_keep_alive_seconds or None
        self._history = history
        self._job_id = history[0].stream
        # The number of the last event that the client has.
        self._last = after
        self._asked: dict[str, Any] = {}
        self._has_all = False

    def cut_off(self) -> bytes:
        """The last event where this node ends; the response goes on, and can be taken up again."""
        return frames(_ENDPOINT, [self._told(ending_response(self._request))])

    async def frames(self) -> AsyncIterator[bytes]:
        """Server-sent events; what breaks them off becomes the last one."""
        try:
            job = folded(self._history)
            self._asked = await asked_of(self._ports, self._caller.account_id, job)
            silent_since = time.monotonic()
            async for batch in self._events():
                shown = [event for event in batch if event["sequence_number"] > self._last]
                if shown:
                    self._last = shown[-1]["sequence_number"]
                    yield frames(_ENDPOINT, shown)
                elif not self._is_silence(time.monotonic() - silent_since):
                    continue
                else:
                    yield STILL_RUNNING
                silent_since = time.monotonic()
        except (DomainError, StoreUnavailable, PayloadErased, ValueError) as error:
            yield frames(_ENDPOINT, [self._told(failure_response(self._request, error))])

    def _is_silence(self, seconds: float) -> bool:
        """Whether so long without a word is to be broken by a sign of life."""
        return self._silence_seconds is not None and seconds >= self._silence_seconds

    def _told(self, refused: Response) -> Delta:
        # It takes no number: whoever takes the stream up after it misses no event.
        return error_event(_decode(bytes(refused.body))["error"], self._last)

    async def _events(self) -> AsyncIterator[list[Delta]]:
        """All that the client may not have; an empty batch now and then while there is nothing."""
        begun_at = self._last
        if self._asked.get("background") is True:
            yield list(self._outgoing().queued())
        buffered = False
        async for batch in self._buffered():
            buffered = buffered or bool(batch)
            yield batch
        if self._has_all:
            return
        if not folded(self._history).is_ended:
            async for batch in self._until_ended():
                yield batch
        yield await self._ending(replays=not buffered and begun_at <= 1)

    def _outgoing(self) -> OutgoingResponse:
        return OutgoingResponse(self._asked, head_for(self._history))

    async def _buffered(self) -> AsyncIterator[list[Delta]]:
        """What the buffer holds, as it comes; until its end, or that of the job."""
        streams, account_id = self._ports.streams, self._caller.account_id
        if streams is None:
            return
        after = self._last + 1 if self._last > 1 else 0
        async with self._ports.watch.watching(self._job_id) as moved:
            while True:
                moved.clear()
                await self._look()
                is_ended = folded(self._history).is_ended
                try:
                    excerpt = await streams.read(account_id, self._job_id, after, _PAGE)
                except StreamGone as gone:
                    # The last event of all is not in the buffer.
                    self._has_all = is_ended and 0 < gone.last == after - 1
                    return
                if excerpt.chunks:
                    after = excerpt.chunks[-1][0]
                    yield [_decode(chunk) for _, chunk in excerpt.chunks]
                elif excerpt.state != "open" or is_ended:
                    return
                else:
                    await self._wait(streams.wait(self._job_id, after), moved)
                    yield []

    async def _until_ended(self) -> AsyncIterator[list[Delta]]:
        async with self._ports.watch.watching(self._job_id) as moved:
            while True:
                moved.clear()
                await self._look()
                if folded(self._history).is_ended:
                    return
                await self._wait(asyncio.sleep(KEY_CHECK_SECONDS), moved)
                yield []

    async def _wait(self, news: Any, moved: asyncio.Event) -> None:
        """Until there is news or the job has moved, a silence at most.

        Raises `Unauthenticated` at the key's end.
        """
        waiting = {asyncio.ensure_future(news), asyncio.ensure_future(moved.wait())}
        try:
            await asyncio.wait(
                waiting, timeout=self._silence_seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        require_still_valid(self._ports, self._caller)

    async def _look(self) -> None:
        self._history = await history_of(self._ports, self._caller.account_id, self._job_id)

    async def _ending(self, *, replays: bool) -> list[Delta]:
        """The last event; with everything before it where no event was buffered."""
        account_id, ended = self._caller.account_id, folded(self._history).ended
        body = await told(self._ports, account_id, self._history, self._asked)
        kind = "response.failed"
        before: list[Delta] = []
        if isinstance(ended, JobCompleted):
            kind = f"response.{body['status']}"
            if replays:
                outgoing = self._outgoing()
                before = list(outgoing.opening())
                before.extend(one for delta in replayed(body) for one in outgoing.shown(delta))
        number = max(self._last, before[-1]["sequence_number"] if before else -1) + 1
        return [*before, {"type": kind, "response": body, "sequence_number": number}]
