"""The relay: publishes the event store to Kafka in position order, and notes how far it got.

One relay is active at a time, by leadership that is no concern of it. Should a second one still be
at work, or a batch be sent again after a failure, then partitions hold events twice and never out
of order: the first of each comes in rising order, and readers skip the second.
"""

import asyncio
from typing import Any, Final

import structlog

from adapters.kafka.connection import KafkaConnection
from adapters.kafka.lanes import Lanes
from adapters.kafka.publisher import Prepared, Publisher, opened_publisher
from adapters.kafka.records import RELAYED_AT_ONCE
from adapters.kafka.takeover import RelayRefused, position_to_resume
from adapters.kafka.topics import Topics, UnknownFamily
from domain.errors import StoreUnavailable
from domain.ports.relay import RelayProgress, RelaySource

RETRY_SECONDS: Final = (0.1, 0.5, 2.0, 5.0)

log = structlog.get_logger(__name__)


class Relay:
    """Publishes until cancelled; used on one event loop."""

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Topics,
        source: RelaySource,
        progress: RelayProgress,
    ) -> None:
        self._connection, self._topics = connection, topics
        self._source, self._progress = source, progress
        self._lanes = Lanes(source)
        self._position: int | None = None
        self._noted = 0
        self._moved = asyncio.Event()
        self._failures = 0
        self._problem: str | None = None

    @property
    def position(self) -> int:
        """Everything up to here is acknowledged by Kafka, as far as known here."""
        return self._position or 0

    @property
    def problem(self) -> str | None:
        """Why nothing is being published just now; None while all is well."""
        return self._problem

    async def lag(self) -> int:
        """How many events wait to be published."""
        return max(0, await self._source.head() - self.position)

    async def run(self) -> None:
        """Works until cancelled. Raises `RelayRefused`; everything else is waited for.

        Neither a Kafka nor a store that is away ends it: it begins again with a new producer
        after the last position that was acknowledged.
        """
        self._position = None
        noting = asyncio.create_task(self._note())
        try:
            while True:
                try:
                    await self._session()
                except (StoreUnavailable, UnknownFamily) as error:
                    await self._pause(error)
        finally:
            await _ended(noting)

    async def _session(self) -> None:
        if self._position is None:
            self._position = await self._resume()
        async with opened_publisher(self._connection, self._topics.log) as publisher:
            preparing = asyncio.create_task(self._prepare(publisher, self._position))
            try:
                while True:
                    prepared = await preparing
                    # The next events are read and encoded while these are on their way.
                    preparing = asyncio.create_task(self._prepare(publisher, prepared.last))
                    await publisher.publish(prepared, self._tell_slow)
                    self._position = prepared.last
                    self._failures, self._problem = 0, None
                    self._moved.set()
            finally:
                await _ended(preparing)

    async def _resume(self) -> int:
        published = await self._progress.load()
        try:
            position = await position_to_resume(
                self._connection, self._topics, self._source, published
            )
        except RelayRefused as error:
            self._problem = str(error)
            raise
        if position < published:
            await self._progress.reset()
        self._noted = position
        log.info("relay.resumed", position=position, published=published)
        return position

    async def _prepare(self, publisher: Publisher, after: int) -> Prepared:
        while not (rows := await self._source.rows(after, RELAYED_AT_ONCE)):
            await self._source.wait(after)
        families = await self._lanes.families(rows)
        return publisher.prepare(rows, self._topics.names(families))

    def _tell_slow(self) -> None:
        self._problem = "Kafka does not acknowledge what it is sent"
        log.warning("relay.unacknowledged", position=self.position)

    async def _note(self) -> None:
        """Saves the position whenever it has moved, beside the publishing."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            while self._noted < (reached := self.position):
                try:
                    await self._progress.save(reached)
                    self._noted = reached
                except StoreUnavailable as error:
                    log.warning("relay.position_not_noted", position=reached, error=str(error))
                    await asyncio.sleep(RETRY_SECONDS[-1])

    async def _pause(self, error: Exception) -> None:
        delay = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        self._problem = str(error)
        log.warning("relay.waiting", position=self.position, error=str(error), delay=delay)
        await asyncio.sleep(delay)


async def _ended(work: "asyncio.Task[Any]") -> None:
    """Ends a task whose outcome matters no more."""
    work.cancel()
    await asyncio.wait({work})
    if not work.cancelled():
        work.exception()
