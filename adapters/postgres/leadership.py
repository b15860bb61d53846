"""Leadership: of all nodes that would do a duty one does it, and another takes over when it dies.

The leader is who holds a PostgreSQL advisory lock. The lock goes with its connection: a killed
process gives it up at once, one that is cut off within a few seconds. What a duty does must bear
that an old leader does not know yet that it is none; this only keeps two from working for long.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from zlib import crc32

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.postgres.recorder import KEEPALIVES, SERVER_SIDE

# The class of the locks of duties, "gd"; the key is made of the duty's name.
DUTY_LOCKS = 0x6764
ASK_SECONDS = 0.5
CHECK_SECONDS = 1.0
ANSWER_SECONDS = 2.0

log = structlog.get_logger(__name__)


class Leadership:
    """Of one duty. Used on one event loop."""

    def __init__(self, url: str, duty: str) -> None:
        self._url, self._duty = url, duty
        self.is_leader = False

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Does `work` while this node leads, again and again, until cancelled.

        Raises what `work` raises. PostgreSQL being away only means that nobody leads.
        """
        while True:
            try:
                await self._lead_once(work)
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.warning("leadership.lost", duty=self._duty, error=repr(error))
                await asyncio.sleep(ASK_SECONDS)

    async def _lead_once(self, work: Callable[[], Awaitable[None]]) -> None:
        given = conninfo_to_dict(self._url).get("options") or ""
        options = f"{SERVER_SIDE} {given}"
        address = make_conninfo(self._url, connect_timeout=3, options=options, **KEEPALIVES)
        connection = await psycopg.AsyncConnection.connect(address, autocommit=True)
        try:
            while not await self._asked(connection):  # noqa: ASYNC110 - nobody would tell us
                await asyncio.sleep(ASK_SECONDS)
            log.info("leadership.won", duty=self._duty)
            self.is_leader = True
            await self._while_leading(connection, work)
        finally:
            self.is_leader = False
            with suppress(psycopg.Error, OSError):
                await connection.close()

    async def _while_leading(
        self, connection: psycopg.AsyncConnection[Any], work: Callable[[], Awaitable[None]]
    ) -> None:
        working = asyncio.ensure_future(work())
        try:
            while not working.done():
                await asyncio.wait({working}, timeout=CHECK_SECONDS)
                async with asyncio.timeout(ANSWER_SECONDS):
                    await connection.execute("SELECT 1")
        finally:
            working.cancel()
            await asyncio.wait({working})
        await working

    async def _asked(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        async with asyncio.timeout(ANSWER_SECONDS):
            row = await (
                await connection.execute(
                    "SELECT pg_try_advisory_lock(%s, %s)",
                    (DUTY_LOCKS, crc32(self._duty.encode()) & 0x7FFFFFFF),
                )
            ).fetchone()
        return bool(row and row[0])
