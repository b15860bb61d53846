"""Signals over all nodes through Redis' publish and subscribe."""

import asyncio
import secrets
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from adapters.memory.signals import MemorySignals
from adapters.redis.connection import FAILURES, RedisConnection
from adapters.redis.switch import Condition, Pauses

# One connection listens and one publishes, apart from those of the counters and buffers.
CONNECTIONS = 2
# After so long a silence Redis is asked whether it is still there.
SILENCE_SECONDS = 1.0
# Wakes that come faster than this become one, whatever their number.
PUBLISH_SECONDS = 0.002


class RedisSignals:
    """`Signals` that reach this node at once and the others when Redis carries them.

    `run` must run for that. Each time it has connected, every receiver of this node is called,
    because it may have missed something.
    """

    def __init__(
        self,
        client: Redis,
        connection: RedisConnection,
        near: MemorySignals,
        condition: Condition,
    ) -> None:
        self._client, self._near, self._condition = client, near, condition
        self._channel = f"{connection.prefix}:signal:"
        self._timeout = connection.timeout_seconds
        self._pauses = Pauses(connection)
        self._node = secrets.token_bytes(8)
        self._due: set[str] = set()
        self._wanted = asyncio.Event()

    def wake(self, topic: str) -> None:
        self._near.wake(topic)
        self._due.add(topic)
        self._wanted.set()

    def subscribe(self, topic: str, receive: Callable[[], None]) -> None:
        self._near.subscribe(topic, receive)

    async def run(self) -> None:
        """Carries signals, again after each failure, until cancelled."""
        while True:
            try:
                await self._carry()
            except FAILURES as error:
                self._pauses.failed()
                self._condition.degrade(error)
            await self._pauses.pause()

    async def _carry(self) -> None:
        async with self._client.pubsub() as pubsub:
            async with asyncio.timeout(self._timeout):
                await pubsub.psubscribe(_literally(self._channel) + "*")
                await _heard(pubsub)  # that it is subscribed from now on
            self._pauses.succeeded()
            self._condition.restore()
            self._near.wake_all()
            await _until_one_fails(self._listen(pubsub), self._publish())

    async def _listen(self, pubsub: PubSub) -> None:
        while True:
            async with asyncio.timeout(SILENCE_SECONDS + self._timeout):
                message = await pubsub.get_message(timeout=SILENCE_SECONDS)
            if message is None:
                async with asyncio.timeout(self._timeout):
                    await pubsub.ping()
                    message = await _heard(pubsub)
            self._receive(message)

    def _receive(self, message: Mapping[str, Any]) -> None:
        # This node's own have been delivered already.
        if message["type"] == "pmessage" and message["data"] != self._node:
            channel: bytes = message["channel"]
            self._near.wake(channel.decode(errors="replace").removeprefix(self._channel))

    async def _publish(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            due, self._due = self._due, set()
            try:
                await self._send(due)
            except FAILURES:
                # The others may have been listening all the time: they are told afterwards.
                self._due |= due
                self._wanted.set()
                raise
            await asyncio.sleep(PUBLISH_SECONDS)

    async def _send(self, topics: Collection[str]) -> None:
        async with (
            asyncio.timeout(self._timeout),
            self._client.pipeline(transaction=False) as pipeline,
        ):
            for topic in topics:
                pipeline.publish(self._channel + topic, self._node)
            await pipeline.execute()


async def _heard(pubsub: PubSub) -> Mapping[str, Any]:
    """The next message of any kind."""
    while True:
        message: Mapping[str, Any] | None = await pubsub.get_message(timeout=SILENCE_SECONDS)
        if message is not None:
            return message


async def _until_one_fails(*works: Coroutine[Any, Any, None]) -> None:
    """Runs all of them, and ends the others when one ends; raises what it raised.

    Unlike a task group it cannot lose a cancellation that comes just as one of them fails.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _literally(text: str) -> str:
    """A pattern that matches this text alone."""
    return "".join(f"\\{char}" if char in "*?[]^\\" else char for char in text)
