"""The helpers over all nodes, put together: one Redis, three ports, their states."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from redis.asyncio import Redis

from adapters.memory.limits import MemoryLimits
from adapters.memory.signals import MemorySignals
from adapters.memory.stream_buffers import MemoryStreamBuffers
from adapters.redis.connection import RedisConnection
from adapters.redis.fallback import FallbackLimits, FallbackStreamBuffers
from adapters.redis.limits import RedisLimits
from adapters.redis.signals import CONNECTIONS, RedisSignals
from adapters.redis.stream_buffers import RedisStreamBuffers
from adapters.redis.switch import Condition, Switch
from domain.governance.helpers import Helper, HelperChanged, HelperState
from domain.ports.clock import Clock
from domain.ports.stream_buffers import BufferBounds

SHARED_CONNECTIONS = 16
PATIENCE_SECONDS = 1.0


class RedisPorts:
    """`signals`, `limits` and `stream_buffers` over all nodes; they work before Redis does.

    `run` carries signals and finds the way back after a failure; it ends only by cancellation.
    """

    def __init__(
        self,
        connection: RedisConnection,
        clients: tuple[Redis, Redis],
        clock: Clock,
        changed: HelperChanged,
        bounds: BufferBounds,
    ) -> None:
        shared, own = clients
        prefix = connection.prefix

        async def probe() -> None:
            await shared.set(f"{prefix}:probe", b"", px=1000)

        names: tuple[Helper, ...] = ("limits", "signals", "stream_buffers")
        self._conditions = {name: Condition(name, changed) for name in names}
        switches = {name: Switch(self._conditions[name], connection, probe) for name in names}
        self._switches = switches["limits"], switches["stream_buffers"]
        self.limits = FallbackLimits(
            switches["limits"], RedisLimits(shared, prefix), MemoryLimits(clock)
        )
        self.stream_buffers = FallbackStreamBuffers(
            switches["stream_buffers"],
            RedisStreamBuffers(shared, prefix, bounds),
            MemoryStreamBuffers(clock, bounds),
        )
        self.signals = RedisSignals(
            own, patient_with(connection), MemorySignals(), self._conditions["signals"]
        )

    def states(self) -> Mapping[Helper, HelperState]:
        """Whether each helper works over all nodes just now."""
        return {name: condition.state for name, condition in self._conditions.items()}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.signals.run())
            for switch in self._switches:
                group.create_task(switch.run())
                group.create_task(switch.look())


def patient_with(connection: RedisConnection) -> RedisConnection:
    """The connection of signals, for which nobody waits: a busy node is not one that is cut off."""
    seconds = max(PATIENCE_SECONDS, connection.timeout_seconds)
    return replace(connection, timeout_seconds=seconds)


@asynccontextmanager
async def redis_ports(
    connection: RedisConnection,
    clock: Clock,
    changed: HelperChanged,
    bounds: BufferBounds,
) -> AsyncIterator[RedisPorts]:
    """The ports on two pools, closed at the end. Nothing is connected before it is used."""
    own_pool = patient_with(connection).pool(CONNECTIONS)
    async with connection.pool(SHARED_CONNECTIONS) as shared, own_pool as own:
        yield RedisPorts(connection, (shared, own), clock, changed, bounds)
