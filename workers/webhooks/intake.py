"""Intake: a consumer of the log that schedules the deliveries of every job that ends."""

from collections.abc import Awaitable, Callable

from domain.event import Recorded
from domain.inference.events import JobCancelled, JobCompleted, JobExpired, JobFailed
from domain.ports.consumer import Consumer, Outcome, on
from domain.ports.event_store import StreamWrite
from domain.webhooks.directory import Directory
from domain.webhooks.schedule import deliveries_of
from domain.webhooks.types import JobEnded

GROUP = "webhooks"


class WebhookIntake:
    """Asks the node's directory of endpoints who is to be told.

    The directory follows the log by itself; `reached` returns once it has come to a position. So
    an event is told to the endpoints that there were when it happened, whichever node handles it.
    """

    def __init__(self, directory: Directory, reached: Callable[[int], Awaitable[None]]) -> None:
        self._directory, self._reached = directory, reached
        self.consumer = Consumer(
            group=GROUP,
            routes=(
                on(JobCompleted, self._schedule),
                on(JobFailed, self._schedule),
                on(JobCancelled, self._schedule),
                on(JobExpired, self._schedule),
            ),
        )

    async def _schedule(self, recorded: Recorded[JobEnded]) -> Outcome:
        await self._reached(recorded.position)
        return Outcome(
            writes=tuple(
                StreamWrite(delivery.delivery_id, 0, (delivery,))
                for delivery in deliveries_of(recorded, self._directory)
            )
        )
