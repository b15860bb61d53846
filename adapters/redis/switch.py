"""Which of two adapters serves a port: Redis while it answers, this node's memory otherwise."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from adapters.redis.connection import FAILURES, RedisConnection, reason_of
from domain.governance.helpers import Helper, HelperChanged, HelperState

T = TypeVar("T")
# Between two looks at a Redis that nobody uses.
LOOK_SECONDS = 1.0


class Condition:
    """Whether a helper is degraded; tells of each change once."""

    def __init__(self, helper: Helper, changed: HelperChanged) -> None:
        self.helper = helper
        self._changed = changed
        self._degraded = asyncio.Event()

    @property
    def is_degraded(self) -> bool:
        return self._degraded.is_set()

    @property
    def state(self) -> HelperState:
        return "degraded" if self.is_degraded else "ok"

    async def wait_degraded(self) -> None:
        await self._degraded.wait()

    def degrade(self, error: BaseException) -> None:
        if not self.is_degraded:
            self._degraded.set()
            self._changed(self.helper, reason_of(error))

    def restore(self) -> None:
        if self.is_degraded:
            self._degraded.clear()
            self._changed(self.helper, None)


class Pauses:
    """Growing pauses between tries; short ones again once a success has lasted.

    What fails as soon as it is back is tried less and less often, so that a Redis that answers
    every other time does not make an event of each time.
    """

    def __init__(self, connection: RedisConnection) -> None:
        self._first = self._next = connection.first_retry_seconds
        self._longest = connection.longest_retry_seconds
        self._succeeded_at = time.monotonic()

    def succeeded(self) -> None:
        self._succeeded_at = time.monotonic()

    def failed(self) -> None:
        if time.monotonic() - self._succeeded_at > self._longest:
            self._next = self._first

    async def pause(self) -> None:
        seconds, self._next = self._next, min(2 * self._next, self._longest)
        await asyncio.sleep(seconds)


class Switch:
    """Uses Redis within its timeout; after a failure nobody waits for it until it answers again.

    `probe` is a write, because a Redis that is full or a replica answers a ping. `run` must run
    for the way back.
    """

    def __init__(
        self,
        condition: Condition,
        connection: RedisConnection,
        probe: Callable[[], Awaitable[object]],
    ) -> None:
        self._condition, self._probe = condition, probe
        self._timeout = connection.timeout_seconds
        self._pauses = Pauses(connection)
        self._restores = 0

    async def use(self, far: Callable[[], Awaitable[T]], near: Callable[[], Awaitable[T]]) -> T:
        """What `far` returns, or `near` when Redis does not answer. Both may raise refusals."""
        if self._condition.is_degraded:
            return await near()
        restores = self._restores
        try:
            async with asyncio.timeout(self._timeout):
                return await far()
        except FAILURES as error:
            # A use that began before the last way back says nothing about the time after it.
            if restores == self._restores:
                self._pauses.failed()
                self._condition.degrade(error)
        return await near()

    async def look(self) -> None:
        """Uses Redis now and then, until cancelled: one that nobody uses is seen to be away too."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.use(self._probe, _nothing)

    async def run(self) -> None:
        """Finds the way back each time, until cancelled."""
        while True:
            await self._condition.wait_degraded()
            await self._pauses.pause()
            if await self._answers():
                self._restores += 1
                self._pauses.succeeded()
                self._condition.restore()

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(self._timeout):
                await self._probe()
        except FAILURES:
            return False
        return True


async def _nothing() -> None:
    return None
