"""A consumer that is killed between what it records and what it tells Kafka.

python -m tests.support.dying_consumer BOOTSTRAP_SERVERS PREFIX DATABASE_URL APPENDS
"""

import asyncio
import os
import signal
import sys

from domain.event import Event, Recorded
from domain.inference.events import JobAccepted
from domain.ports.consumer import Consumer, Outcome, on
from domain.ports.event_store import Append, StreamWrite
from tests.support.kafka_group import kafka_group
from tests.support.stores import credited

GROUP = "test"


def records_a_credit(recorded: Recorded[Event]) -> Outcome:
    """Starts a stream of its own, so that it shows how often an event was handled."""
    credit = f"crd_{recorded.stream}"
    return Outcome((StreamWrite(credit, 0, (credited(credit, 1),)),))


class DiesAfter:
    """A store whose process is killed once so many outcomes were recorded."""

    def __init__(self, store: object, appends: int) -> None:
        self._store, self._left = store, appends

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def append(self, append: Append) -> tuple[Recorded[Event], ...]:
        recorded: tuple[Recorded[Event], ...] = await self._store.append(append)  # type: ignore[attr-defined]
        self._left -= bool(append.writes)
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return recorded


async def main(bootstrap_servers: str, prefix: str, database_url: str, appends: int) -> None:
    async with kafka_group(bootstrap_servers, prefix, database_url) as here:
        store = DiesAfter(here.store, appends)
        table = Consumer(GROUP, (on(JobAccepted, records_a_credit),))
        await here.runner(table, store).run()  # type: ignore[arg-type]


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4], int(sys.argv[4])))  # type: ignore[call-arg, arg-type]
