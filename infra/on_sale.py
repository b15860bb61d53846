"""The catalogue as it is sold now: built anew beside the event loop, and swapped whole."""

import asyncio

import structlog

from domain.catalog.catalogue import Catalogue, InvalidCatalogue
from domain.catalog.feeds import Feeds
from infra.directories import Directories
from infra.offers import build_catalogue
from infra.settings import Settings

log = structlog.get_logger(__name__)


class OnSale:
    """Holds the present catalogue of a node; implements `api.catalogue_desk.Sold`.

    What is handed out never changes: whoever holds a catalogue sees one moment.
    """

    def __init__(self, settings: Settings, directories: Directories, known: Catalogue) -> None:
        """`known` is the catalogue of the settings alone. Raises `InvalidCatalogue`."""
        self._settings = settings
        self._feeds: Feeds = directories.feeds
        self._moved = directories.feeds_moved
        self._building = asyncio.Lock()
        self._revision = self._feeds.revision
        # Most engines start without anything to lay over it, and it takes a while to build.
        self.current: Catalogue = (
            build_catalogue(settings, self._feeds.copied()) if self._revision else known
        )

    async def run(self) -> None:
        """Follows what providers' lists and the operator say, until cancelled."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            await self.settled()

    async def settled(self) -> None:
        """Returns once all that this node knows now is in the present catalogue."""
        wanted = self._feeds.revision
        while self._revision < wanted:
            async with self._building:
                if self._revision < wanted:
                    await self._build()

    async def _build(self) -> None:
        revision, feeds = self._feeds.revision, self._feeds.copied()
        try:
            self.current = await asyncio.to_thread(build_catalogue, self._settings, feeds)
        except InvalidCatalogue as problem:  # the last good one stays
            log.error("catalogue.refused", problems=problem.problems)  # noqa: TRY400 - no bug
        self._revision = revision
