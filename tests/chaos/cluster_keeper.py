"""Keeps the nodes of a cluster running as an orchestrator would, but for those that are held down.

A node that ends by itself after it had started is remembered: none should, whatever is away.
"""

import asyncio
from contextlib import suppress
from random import Random

from tests.support.cluster import Cluster, NodeProcess, Role

LOOK_SECONDS = 0.05
AGAIN_SECONDS = 0.5
LAST_WORDS = 2_000


class Keeper:
    """One task a node: started, watched, started again.

    `hands_on` is held by whoever does something to a node, so that two faults never meet there.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.fallen: list[str] = []
        self.false_starts = 0
        self.hands_on = {name: asyncio.Lock() for name in cluster.nodes}
        self._cluster = cluster
        self._held_down: set[str] = set()
        # Whose present life somebody has ended, or may have.
        self._doomed: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to watch."""
        for node in self._cluster.nodes.values():
            self._tasks.append(asyncio.create_task(self._keep(node)))

    async def stop(self) -> None:
        """Watches no more; the nodes stay as they are. Raises what broke a watch."""
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    def address(self, random: Random) -> str:
        """Of any API node, running or not, as a load balancer without health checks has it."""
        return random.choice([node.base_url for node in self._cluster.of("api")])

    def free(self, dice: float, *roles: Role) -> NodeProcess | None:
        """A running node of these roles, or of any, that nobody has their hands on."""
        nodes = self._cluster.of(*roles) if roles else [*self._cluster.nodes.values()]
        able = [node for node in nodes if node.is_alive and not self.hands_on[node.name].locked()]
        return able[int(dice * len(able))] if able else None

    def hold_down(self, node: NodeProcess) -> None:
        """It may end now, and is not started again before `let_go`."""
        self._held_down.add(node.name)
        self._doomed.add(node.name)

    def let_go(self, node: NodeProcess) -> None:
        """It is started again."""
        self._held_down.discard(node.name)

    def is_up(self, node: NodeProcess) -> bool:
        """Whether it has started, and nobody has done anything to this life of it."""
        return node.is_alive and node.name not in self._doomed

    async def all_up(self) -> None:
        """Returns once every node runs."""
        while not all(node.is_alive and node.base_url for node in self._cluster.nodes.values()):
            await asyncio.sleep(LOOK_SECONDS)

    async def _keep(self, node: NodeProcess) -> None:
        while True:
            while node.is_alive or node.name in self._held_down:
                await asyncio.sleep(LOOK_SECONDS)
            if node.starts and node.name not in self._doomed:
                self.fallen.append(f"{node.name} ended by itself:\n{node.output[-LAST_WORDS:]}\n")
            await self._start(node)

    async def _start(self, node: NodeProcess) -> None:
        # Until it has started it may end for want of what it needs.
        self._doomed.add(node.name)
        try:
            await node.start()
        except RuntimeError:
            self.false_starts += node.name not in self._held_down
            with suppress(ProcessLookupError):
                node.kill()
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            if node.name not in self._held_down:
                self._doomed.discard(node.name)
