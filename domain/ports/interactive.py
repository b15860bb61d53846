"""Requests whose client waits for the answer: run here and now, by the engine and not by the
connection.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import field
from typing import Any, Protocol

from domain.dialects.surface import Delta
from domain.event import Origin
from domain.inference.events import (
    JobAccepted,
    JobCancelled,
    JobCompleted,
    JobExpired,
    JobFailed,
    OfferRef,
)
from domain.value import value


@value()
class Ended:
    """How a run ended: its terminal event, and the whole body of an answer, empty without one."""

    event: JobCompleted | JobFailed | JobCancelled | JobExpired
    body: dict[str, Any] = field(default_factory=dict)


class RunLost(Exception):
    """Another node ended the job meanwhile: its lease had run out here."""


class Attached(Protocol):
    """A run that a client listens to.

    Laws, held by `tests/contract/test_interactive.py`:
    1. The run goes on whether or not anybody listens; `left` applies the job's policy, and so
       does `cut_off`, but charges nothing for half an answer that we broke off.
    2. `deltas` gives the events of one attempt, in order, and ends with the run; what it gave is
       all of the answer only when `ended` says that the job is completed. While it is not taken
       on, a bounded number of events waits for it, and then the provider does.
    3. `ended` returns once the terminal event is durable. Raises `RunLost`.
    """

    @property
    def job_id(self) -> str: ...

    def deltas(
        self, silence_seconds: float = 0.0
    ) -> AsyncIterator[Sequence[tuple[OfferRef, Delta]]]:
        """What has come since the last time, as soon as there is any; to be called once.

        Nothing tells that nothing came for so long, and for each further while; 0 for never.
        """
        ...

    async def ended(self) -> Ended: ...

    def left(self) -> None:
        """The client has hung up, and takes no more of `deltas`."""
        ...

    def cut_off(self) -> None:
        """This node ends, and nobody can be answered here any more."""
        ...


class Interactive(Protocol):
    """Runs requests at once, on this node.

    Law: `begin` returns when the acceptance and the hold are durable, before any provider is
    called, and raises what the event store refuses; then nothing was recorded.
    """

    async def begin(
        self, accepted: JobAccepted, body: dict[str, Any], origin: Origin, *, stream: bool
    ) -> Attached: ...
