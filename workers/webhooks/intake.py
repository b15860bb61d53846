"""Intake: a consumer of the log that schedules the deliveries of every job that ends."""

from domain.access.events import AccountOpened
from domain.event import Event, Recorded
from domain.inference.events import JobCancelled, JobCompleted, JobExpired, JobFailed
from domain.ports.consumer import NOTHING, Consumer, Outcome, on
from domain.ports.event_store import Checkpoint, EventStore, StreamWrite
from domain.webhooks.directory import DIRECTORY_EVENTS, Directory
from domain.webhooks.events import (
    DefaultSecretRotated,
    EndpointCreated,
    EndpointDeleted,
    EndpointDisabled,
    EndpointSecretRotated,
    EndpointUpdated,
)
from domain.webhooks.schedule import deliveries_of
from domain.webhooks.types import JobEnded

GROUP = "webhooks"
PAGE = 1000


class WebhookIntake:
    """Keeps a directory in step with its own position in the log.

    So an event is told to the endpoints that there were when it happened. `load` comes before
    the consumer is run.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._directory = Directory()
        self.consumer = Consumer(
            group=GROUP,
            routes=(
                on(AccountOpened, self._note),
                on(EndpointCreated, self._note),
                on(EndpointUpdated, self._note),
                on(EndpointSecretRotated, self._note),
                on(DefaultSecretRotated, self._note),
                on(EndpointDisabled, self._note),
                on(EndpointDeleted, self._note),
                on(JobCompleted, self._schedule),
                on(JobFailed, self._schedule),
                on(JobCancelled, self._schedule),
                on(JobExpired, self._schedule),
            ),
        )

    async def load(self) -> None:
        """Takes in what the consumer has handled already."""
        checkpoint = await self._store.checkpoint(GROUP)
        last = max(checkpoint.watermark, *checkpoint.handled, 0)
        names = tuple(event_type.event_name for event_type in DIRECTORY_EVENTS)
        position = 0
        while page := await self._store.read_log(position, PAGE, names):
            for entry in page:
                if isinstance(entry, Recorded) and _is_handled(checkpoint, entry):
                    self._directory.apply(entry)
            position = page[-1].position
            if position >= last:
                return

    def _note(self, recorded: Recorded[Event]) -> Outcome:
        self._directory.apply(recorded)
        return NOTHING

    def _schedule(self, recorded: Recorded[JobEnded]) -> Outcome:
        return Outcome(
            writes=tuple(
                StreamWrite(delivery.delivery_id, 0, (delivery,))
                for delivery in deliveries_of(recorded, self._directory)
            )
        )


def _is_handled(checkpoint: Checkpoint, entry: Recorded[Event]) -> bool:
    return entry.position <= checkpoint.watermark or entry.position in checkpoint.handled
