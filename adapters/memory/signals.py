"""Signals within one process."""

import asyncio
from collections.abc import Callable

Receive = Callable[[], None]


class MemorySignals:
    """`Signals` on the running event loop: a wake is one call of each receiver, a turn later."""

    def __init__(self) -> None:
        self._receivers: dict[str, list[Receive]] = {}
        self._due: set[str] = set()

    def wake(self, topic: str) -> None:
        if topic in self._receivers and topic not in self._due:
            self._due.add(topic)
            asyncio.get_running_loop().call_soon(self._deliver, topic)

    def wake_all(self) -> None:
        """Wakes every topic that somebody is subscribed to."""
        for topic in self._receivers:
            self.wake(topic)

    def subscribe(self, topic: str, receive: Receive) -> None:
        self._receivers.setdefault(topic, []).append(receive)

    def _deliver(self, topic: str) -> None:
        self._due.discard(topic)  # first, so that a wake by a receiver has a call of its own
        for receive in self._receivers[topic]:
            # Each in a callback of its own: the loop reports what one raises and runs the next.
            asyncio.get_running_loop().call_soon(receive)
