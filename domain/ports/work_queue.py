"""The work queues: pieces of work that call the outside, with leases."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from domain.effects import Queue
from domain.inference.events import Lane


class WorkItem(NamedTuple):
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


Receive = Callable[[WorkItem], None]
# Says whether an item of this id and lane is still to be worked on here.
IsOurs = Callable[[str, Lane], bool]
Withdraw = Callable[[IsOurs], None]


class WorkQueue(Protocol):
    """Items enter, are leased and leave through the effects of an append.

    Laws, held by `tests/contract/test_work_queue.py`:
    1. `backlog` returns every item that is not done, leased ones included, in position order.
       Where several processes share the queue, these are the items that are this one's to do.
    2. A subscriber gets each item that is enqueued or requeued after it subscribed, once the
       append is durable. It may get one again, and late: the state of the item decides.
    3. Enqueueing an item that is queued already changes nothing.
    4. `lapsed` returns the items whose lease ran out before `now` (Unix milliseconds). Where
       several processes share the queue, each gets those that it is to see to.
    5. A lease is renewed only while it stands: one that was lost is not taken back.
    6. When items become another process's to do, the subscriber's `withdraw` is called; it lets
       go of those that wait. What runs goes on. A queue with one process never calls it.
    """

    async def backlog(self, queue: Queue) -> Sequence[WorkItem]: ...

    async def lapsed(self, queue: Queue, now: int) -> Sequence[WorkItem]: ...

    def subscribe(
        self, queue: Queue, receive: Receive, withdraw: Withdraw | None = None
    ) -> None: ...


class WorkRows(Protocol):
    """The rows behind the queues, as the event store keeps them.

    Laws, held by `tests/contract/test_work_queue.py`:
    1. `items` returns the present rows of those of `item_ids` that are not done, in any order.
    2. `waiting` returns up to `limit` items without a lease that were asked for by an event
       after position `after`, in position order: called with the last position that it gave
       until it gives nothing, it shows every item that waits all the while.
    3. `backlog` and `lapsed` are those of `WorkQueue`, of every process.
    """

    async def items(self, queue: Queue, item_ids: Sequence[str]) -> Sequence[WorkItem]: ...

    async def waiting(self, queue: Queue, after: int, limit: int) -> Sequence[WorkItem]: ...

    async def backlog(self, queue: Queue) -> Sequence[WorkItem]: ...

    async def lapsed(self, queue: Queue, now: int) -> Sequence[WorkItem]: ...
