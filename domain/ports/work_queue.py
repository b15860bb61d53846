"""The work queues: pieces of work that call the outside, with leases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.effects import Queue
from domain.inference.events import Lane


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A piece of work; `position` is that of the event that asked for it, `starts` how many
    leases were taken on it.
    """

    queue: Queue
    item_id: str
    account_id: str
    lane: Lane
    position: int
    cost: int
    due_at: int
    deadline_at: int | None
    starts: int = 0
    lease_id: str | None = None
    leased_until: int | None = None


class WorkQueue(Protocol):
    """Items enter, are leased and leave through the effects of an append.

    Laws, held by `tests/contract/test_work_queue.py`:
    1. `backlog` returns every item that is not done, leased ones included, in position order.
    2. A subscriber gets each item that is enqueued or requeued after it subscribed, once the
       append is durable.
    3. Enqueueing an item that is queued already changes nothing.
    4. `lapsed` returns the items whose lease ran out before `now` (Unix milliseconds).
    """

    async def backlog(self, queue: Queue) -> Sequence[WorkItem]: ...

    async def lapsed(self, queue: Queue, now: int) -> Sequence[WorkItem]: ...

    def subscribe(self, queue: Queue, receive: Callable[[WorkItem], None]) -> None: ...
