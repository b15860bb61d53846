"""Signals: best-effort wake-ups between the parts of the engine, on one node and over all."""

from collections.abc import Callable
from typing import Protocol


class Signals(Protocol):
    """A signal says "look again"; it carries nothing, and nobody may depend on it to arrive.

    Topics are few and fixed, one for each kind of thing to look at. Used on one event loop.
    Laws, held by `tests/contract/test_signals.py`:

    1. A receiver that is subscribed is called soon after a wake of its topic, on whatever node.
    2. `wake` returns at once, never raises, and calls no receiver before it returns.
    3. Many wakes within a short time may become one call; the last one has a call after it.
    4. A receiver may be called without a wake; it is, once what carries the signals was away.
    5. A receiver that raises keeps no other from being called.
    6. Nothing is stored: who subscribes later is not told. While what carries them is away,
       signals of this node arrive, and those of other nodes come late or never.
    """

    def wake(self, topic: str) -> None: ...

    def subscribe(self, topic: str, receive: Callable[[], None]) -> None: ...
