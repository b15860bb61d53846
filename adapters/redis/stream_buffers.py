"""Stream buffers in Redis: one hash a stream, its chunks under their numbers."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from domain.ports.stream_buffers import (
    BufferBounds,
    BufferFull,
    Excerpt,
    StreamGone,
)

MOST_READ = 1_000
# The pauses between two looks of one who waits: about a second in all.
WAIT_PAUSES = (0.01,) * 4 + (0.02,) * 10 + (0.05,) * 15

# Beside the chunks: `last` is the number of the last one, `bytes` the sum of their sizes, `state`
# is absent while the stream is open. One key, so that a stream is there whole or not at all.
HEAD = """
local head = redis.call('HMGET', KEYS[1], 'last', 'bytes', 'state')
local last, size, state = tonumber(head[1] or 0), tonumber(head[2] or 0), head[3] or 'open'
local after = tonumber(ARGV[1])
if last < after then
  return {'gone', last}
end
"""
APPEND = (
    HEAD
    + """
local expiry, most_chunks, most_bytes, first = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), 5
local outcome, start, added = 'ok', first + last - after, 0
if start <= #ARGV then
  for i = start, #ARGV do
    added = added + #ARGV[i]
  end
  if state == 'ended' then
    return {'ended', last}
  elseif state == 'cut' or last + #ARGV - start + 1 > most_chunks or size + added > most_bytes then
    redis.call('HSET', KEYS[1], 'state', 'cut')
    outcome = 'cut'
  else
    for i = start, #ARGV do
      last = last + 1
      redis.call('HSET', KEYS[1], last, ARGV[i])
    end
    redis.call('HSET', KEYS[1], 'last', last, 'bytes', size + added)
  end
end
redis.call('PEXPIRE', KEYS[1], expiry)
return {outcome, last}
"""
)
END = (
    HEAD
    + """
if last > after then
  return {'more', last}
end
if state == 'open' then
  redis.call('HSET', KEYS[1], 'last', last, 'state', 'ended')
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'ok', last}
"""
)
READ = (
    HEAD
    + """
local numbers = {}
for number = after + 1, math.min(last, after + tonumber(ARGV[2])) do
  numbers[#numbers + 1] = number
end
local chunks = #numbers > 0 and redis.call('HMGET', KEYS[1], unpack(numbers)) or {}
return {'ok', last, state, chunks}
"""
)


class RedisStreamBuffers:
    """`StreamBuffers` over all nodes; raises what the client raises when Redis does not answer.

    Who waits looks again and again: first every ten milliseconds, then every fifty.
    """

    def __init__(self, client: Redis, prefix: str, bounds: BufferBounds) -> None:
        self._client, self._prefix, self._bounds = client, prefix, bounds
        self._append = client.register_script(APPEND)
        self._end = client.register_script(END)
        self._read = client.register_script(READ)
        self._expiry_ms = round(bounds.expiry_seconds * 1000)

    async def append(self, stream_id: str, after: int, chunks: Sequence[bytes]) -> int:
        bounds = (self._expiry_ms, self._bounds.chunks, self._bounds.total_bytes)
        answer: Any = await self._append([self._name(stream_id)], (after, *bounds, *chunks))
        outcome, last = answer
        _refuse(stream_id, outcome, last)
        return int(last)

    async def end(self, stream_id: str, after: int) -> None:
        answer: Any = await self._end([self._name(stream_id)], (after, self._expiry_ms))
        _refuse(stream_id, *answer)

    async def read(self, stream_id: str, after: int, limit: int) -> Excerpt:
        arguments = (after, min(limit, MOST_READ))
        answer: Any = await self._read([self._name(stream_id)], arguments)
        _refuse(stream_id, *answer[:2])
        state, chunks = answer[2:]
        return Excerpt(tuple(enumerate(chunks, after + 1)), state.decode())

    async def has_news(self, stream_id: str, after: int) -> bool:
        """Whether there is something to see after `after`."""
        answer: Any = self._client.hmget(self._name(stream_id), ["last", "state"])
        last, state = await answer
        return int(last or 0) != after or state is not None

    async def wait(self, stream_id: str, after: int) -> None:
        for pause in WAIT_PAUSES:
            if await self.has_news(stream_id, after):
                return
            await asyncio.sleep(pause)

    async def forget(self, stream_id: str) -> None:
        await self._client.delete(self._name(stream_id))

    def _name(self, stream_id: str) -> str:
        return f"{self._prefix}:stream:{stream_id}"


def _refuse(stream_id: str, outcome: bytes, last: int) -> None:
    """Raises what a script's outcome stands for."""
    match outcome:
        case b"gone":
            raise StreamGone(stream_id, last)
        case b"cut":
            raise BufferFull(f"no more than {last} chunks of the stream are kept")
        case b"ended" | b"more":
            raise ValueError(f"{stream_id} has ended, or has chunks after its end")
